// Owns: cutting video byte streams into access units and telling key frames. Pure. May import: core.
import type { VideoCodec } from '#core/media-source.ts';

export interface VideoUnit {
  readonly data: Buffer;
  readonly isKey: boolean;
}

/** What start codes mean in one codec, by the byte after 00 00 01. */
interface StartCodes {
  /** The picture begins with it, or with something that precedes a picture. */
  opensPicture(code: number): boolean;
  /** Picture data: what opens a picture after it opens the next one. */
  isPicture(code: number): boolean;
  isKey(code: number, bytes: Buffer, at: number): boolean;
}

/** A PES packet of hostile make could hold a million of them. */
const maxUnitsPerPacket = 64;

/** @param bytes of one PES packet, which holds one access unit with most encoders @returns views */
export function splitVideo(codec: VideoCodec, bytes: Buffer): VideoUnit[] {
  const codes = startCodes[codec];
  if (!codes) return [{ data: bytes, isKey: false }];
  const units: VideoUnit[] = [];
  let from = 0;
  let hasPicture = false;
  let isKey = false;
  for (let at = bytes.indexOf(startCode); at >= 0 && at + 3 < bytes.length; at = bytes.indexOf(startCode, at + 3)) {
    const code = bytes[at + 3] ?? 0;
    if (hasPicture && codes.opensPicture(code) && units.length < maxUnitsPerPacket) {
      const begin = bytes[at - 1] === 0 ? at - 1 : at;
      units.push({ data: bytes.subarray(from, begin), isKey });
      from = begin;
      hasPicture = false;
      isKey = false;
    }
    hasPicture ||= codes.isPicture(code);
    isKey ||= codes.isKey(code, bytes, at + 4);
  }
  units.push({ data: bytes.subarray(from), isKey });
  return units;
}

const startCode = Buffer.from([0, 0, 1]);

const startCodes: Partial<Record<VideoCodec, StartCodes>> = {
  // H.264 table 7-1: an access unit delimiter is the first of its unit where there are any, as MPEG-TS demands.
  h264: {
    opensPicture: (code) => (code & 0x1f) === 9,
    isPicture: (code) => (code & 0x1f) >= 1 && (code & 0x1f) <= 5,
    isKey: (code) => (code & 0x1f) === 5,
  },
  // H.265 table 7-1: 0 to 31 are slices, 16 to 21 random access points, 35 the delimiter.
  h265: {
    opensPicture: (code) => h265Type(code) === 35,
    isPicture: (code) => h265Type(code) < 32,
    isKey: (code) => h265Type(code) >= 16 && h265Type(code) <= 21,
  },
  // ISO/IEC 13818-2 table 6-1: picture 00, slices 01 to AF, sequence B3, group B8; I pictures have the type 1 (§6.3.9).
  mpeg2: {
    opensPicture: (code) => code === 0x00 || code === 0xb3 || code === 0xb8,
    isPicture: (code) => code >= 0x01 && code <= 0xaf,
    isKey: (code, bytes, at) => code === 0x00 && (((bytes[at + 1] ?? 0) >> 3) & 7) === 1,
  },
  // ISO/IEC 14496-2 table 6-3: a picture (VOP) is B6, two bits of type, 0 for I; the rest are its headers.
  mpeg4: {
    opensPicture: (code) => code === 0xb6 || code === 0xb0 || code === 0xb3 || code <= 0x2f,
    isPicture: (code) => code === 0xb6,
    isKey: (code, bytes, at) => code === 0xb6 && (bytes[at] ?? 0xff) >> 6 === 0,
  },
};

function h265Type(code: number): number {
  return (code >> 1) & 0x3f;
}
