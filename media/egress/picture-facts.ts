// Owns: what a key picture says of its stream: size, decoder configuration. Pure. May import: media/rtp, its neighbours.
import { BitReader } from '../rtp/bit-reader.ts';
import { h264Nal, h264NalType, parseSps, splitAnnexB } from '../rtp/h264.ts';
import type { EgressStream } from './sink.ts';

/** @param data a whole key picture. @returns undefined when it does not say enough to be decoded */
export function describePicture(codec: EgressStream['codec'], data: Uint8Array): EgressStream | undefined {
  if (codec === 'h264') return describeH264(data);
  const size = codec === 'vp8' ? vp8Size(data) : codec === 'vp9' ? vp9Size(data) : undefined;
  return { kind: 'video', codec, width: size?.width, height: size?.height };
}

export function isSameStream(one: EgressStream, other: EgressStream): boolean {
  return (
    one.codec === other.codec &&
    one.width === other.width &&
    one.height === other.height &&
    Buffer.compare(one.config ?? new Uint8Array(), other.config ?? new Uint8Array()) === 0
  );
}

function describeH264(data: Uint8Array): EgressStream | undefined {
  const nals = splitAnnexB(data);
  const sps = nals.filter((nal) => h264NalType(nal) === h264Nal.sps);
  const pps = nals.filter((nal) => h264NalType(nal) === h264Nal.pps);
  const [first] = sps;
  const facts = first && parseSps(first);
  if (!first || !facts || pps.length === 0) return undefined;
  const config = buildAvcConfig(sps, pps);
  return { kind: 'video', codec: 'h264', config, width: facts.width, height: facts.height };
}

/** AVCDecoderConfigurationRecord, ISO 14496-15 §5.3.3, lengths of four bytes. */
function buildAvcConfig(sps: readonly Uint8Array[], pps: readonly Uint8Array[]): Buffer {
  const [first = new Uint8Array(4)] = sps;
  const sets = (list: readonly Uint8Array[]) =>
    list.flatMap((nal) => [Buffer.from([nal.length >> 8, nal.length & 0xff]), nal]);
  return Buffer.concat([
    Buffer.from([1, first[1] ?? 0, first[2] ?? 0, first[3] ?? 0, 0xff, 0xe0 | sps.length]),
    ...sets(sps),
    Buffer.from([pps.length]),
    ...sets(pps),
  ]);
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** RFC 6386 §9.1: three bytes of tag, three of start code, then 14 bits each. */
function vp8Size(data: Uint8Array): Size | undefined {
  if (data.length < 10 || data[3] !== 0x9d || data[4] !== 0x01 || data[5] !== 0x2a) return undefined;
  const side = (at: number) => (((data[at + 1] ?? 0) << 8) | (data[at] ?? 0)) & 0x3fff;
  return { width: side(6), height: side(8) };
}

/** VP9 bitstream §6.2, of the profiles that browsers send. */
function vp9Size(data: Uint8Array): Size | undefined {
  const reader = new BitReader(data);
  if (reader.bits(2) !== 2) return undefined;
  const profile = reader.bit() | (reader.bit() << 1);
  if (profile === 3) reader.bit();
  // Shows a picture that is there already, or is no key picture.
  if (reader.bit() === 1 || reader.bit() === 1) return undefined;
  reader.skip(2);
  if (reader.bits(24) !== 0x498342) return undefined;
  if (profile >= 2) reader.bit();
  const isRgb = reader.bits(3) === 7;
  if (!isRgb) reader.skip(profile === 1 || profile === 3 ? 4 : 1);
  else if (profile === 1 || profile === 3) reader.bit();
  const [width, height] = [reader.bits(16) + 1, reader.bits(16) + 1];
  return reader.isExhausted ? undefined : { width, height };
}
