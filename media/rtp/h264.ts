// Owns: what is read of H.264 without decoding it: NAL units, parameter sets, slice types.
import { BitReader, unescapeNal } from './bit-reader.ts';

export const h264Nal = { slice: 1, idr: 5, sei: 6, sps: 7, pps: 8, aud: 9, endOfSequence: 10, filler: 12 } as const;

/** An access unit of hostile make could hold a million empty ones. */
const maxNals = 4_096;

export function h264NalType(nal: Uint8Array): number {
  return (nal[0] ?? 0) & 0x1f;
}

/** NAL units of an Annex B byte stream, as views without start codes. */
export function splitAnnexB(data: Uint8Array): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let start = -1;
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let at = buffer.indexOf(startCode); at >= 0 && nals.length < maxNals; at = buffer.indexOf(startCode, at + 3)) {
    if (start >= 0) pushTrimmed(nals, data, start, at);
    start = at + 3;
  }
  if (start >= 0) pushTrimmed(nals, data, start, data.length);
  return nals;
}

const startCode = Buffer.from([0, 0, 1]);

/** Zeros before a start code belong to the start code, or trail. */
function pushTrimmed(nals: Uint8Array[], data: Uint8Array, start: number, end: number): void {
  let last = end;
  while (last > start && data[last - 1] === 0) last -= 1;
  if (last > start) nals.push(data.subarray(start, last));
}

/** NAL units behind lengths (ISO 14496-15), as views. @returns undefined when a length does not fit */
export function splitLengthPrefixed(data: Uint8Array, lengthSize: number): Uint8Array[] | undefined {
  const nals: Uint8Array[] = [];
  for (let offset = 0; offset < data.length; ) {
    if (offset + lengthSize > data.length || nals.length >= maxNals) return undefined;
    let length = 0;
    for (let i = 0; i < lengthSize; i++) length = length * 256 + (data[offset + i] ?? 0);
    offset += lengthSize;
    if (offset + length > data.length) return undefined;
    if (length > 0) nals.push(data.subarray(offset, offset + length));
    offset += length;
  }
  return nals;
}

export function toAnnexB(nals: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const nal of nals) length += nal.length + 4;
  const output = Buffer.allocUnsafe(length);
  let offset = 0;
  for (const nal of nals) {
    offset = output.writeUInt32BE(1, offset);
    output.set(nal, offset);
    offset += nal.length;
  }
  return output;
}

/** NAL units behind lengths of four bytes (ISO 14496-15), as FLV and MP4 carry them. */
export function toLengthPrefixed(nals: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    nals.flatMap((nal) => {
      const length = Buffer.allocUnsafe(4);
      length.writeUInt32BE(nal.length);
      return [length, nal];
    }),
  );
}

export interface ParameterSets {
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
}

/** AVCDecoderConfigurationRecord, ISO 14496-15 §5.3.3. @returns undefined when it is not one */
export function parseAvcConfig(config: Uint8Array): (ParameterSets & { lengthSize: number }) | undefined {
  if (config.length < 7 || config[0] !== 1) return undefined;
  const lengthSize = ((config[4] ?? 0) & 3) + 1;
  let offset = 5;
  const readSets = (count: number): Uint8Array[] | undefined => {
    const sets: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      if (offset + 2 > config.length) return undefined;
      const length = ((config[offset] ?? 0) << 8) | (config[offset + 1] ?? 0);
      offset += 2;
      if (length === 0 || offset + length > config.length) return undefined;
      sets.push(config.subarray(offset, offset + length));
      offset += length;
    }
    return sets;
  };
  const sps = readSets((config[offset++] ?? 0) & 0x1f);
  if (!sps || offset >= config.length) return undefined;
  const pps = readSets(config[offset++] ?? 0);
  return pps && { lengthSize, sps, pps };
}

export interface SpsFacts {
  readonly profileIdc: number;
  readonly levelIdc: number;
  /** 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chromaFormat: number;
  readonly bitDepth: number;
  readonly isInterlaced: boolean;
  readonly width: number;
  readonly height: number;
  /** Pictures that may have to wait for later ones; undefined when it does not say. */
  readonly reorderFrames: number | undefined;
}

const highProfiles = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** H.264 §7.3.2.1. @returns undefined for what cannot be a sequence parameter set */
export function parseSps(nal: Uint8Array): SpsFacts | undefined {
  if (h264NalType(nal) !== h264Nal.sps || nal.length < 5) return undefined;
  const reader = new BitReader(unescapeNal(nal, 512), 1);
  const profileIdc = reader.bits(8);
  reader.skip(8);
  const levelIdc = reader.bits(8);
  reader.unsigned();
  let chromaFormat = 1;
  let bitDepth = 8;
  if (highProfiles.has(profileIdc)) {
    chromaFormat = reader.unsigned();
    if (chromaFormat === 3) reader.bit();
    bitDepth = 8 + reader.unsigned();
    reader.unsigned();
    reader.bit();
    if (reader.bit()) skipScalingLists(reader, chromaFormat === 3 ? 12 : 8);
  }
  reader.unsigned();
  const pocType = reader.unsigned();
  if (pocType === 0) reader.unsigned();
  if (pocType === 1) skipPocCycle(reader);
  reader.unsigned();
  reader.bit();
  const widthMbs = reader.unsigned() + 1;
  const heightUnits = reader.unsigned() + 1;
  const isFrameMbsOnly = reader.bit() === 1;
  if (!isFrameMbsOnly) reader.bit();
  reader.bit();
  const crop = { left: 0, right: 0, top: 0, bottom: 0 };
  if (reader.bit()) {
    crop.left = reader.unsigned();
    crop.right = reader.unsigned();
    crop.top = reader.unsigned();
    crop.bottom = reader.unsigned();
  }
  const reorderFrames = reader.bit() ? readReorderFrames(reader) : undefined;
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const cropY = (chromaFormat === 1 ? 2 : 1) * (isFrameMbsOnly ? 1 : 2);
  const width = widthMbs * 16 - (crop.left + crop.right) * cropX;
  const height = heightUnits * 16 * (isFrameMbsOnly ? 1 : 2) - (crop.top + crop.bottom) * cropY;
  if (width <= 0 || height <= 0 || width > 16_384 || height > 16_384 || chromaFormat > 3) return undefined;
  return {
    profileIdc,
    levelIdc,
    chromaFormat,
    bitDepth,
    isInterlaced: !isFrameMbsOnly,
    width,
    height,
    reorderFrames: reader.isExhausted ? undefined : reorderFrames,
  };
}

function skipScalingLists(reader: BitReader, count: number): void {
  for (let list = 0; list < count; list++) {
    if (!reader.bit()) continue;
    let last = 8;
    let next = 8;
    for (let i = 0; i < (list < 6 ? 16 : 64); i++) {
      if (next !== 0) next = (last + reader.signed() + 256) % 256;
      if (next !== 0) last = next;
    }
  }
}

function skipPocCycle(reader: BitReader): void {
  reader.bit();
  reader.signed();
  reader.signed();
  const count = Math.min(255, reader.unsigned());
  for (let i = 0; i < count; i++) reader.signed();
}

/** VUI, H.264 §E.1.1, down to bitstream_restriction. */
function readReorderFrames(reader: BitReader): number | undefined {
  if (reader.bit() && reader.bits(8) === 255) reader.skip(32);
  if (reader.bit()) reader.bit();
  if (reader.bit()) {
    reader.skip(4);
    if (reader.bit()) reader.skip(24);
  }
  if (reader.bit()) {
    reader.unsigned();
    reader.unsigned();
  }
  if (reader.bit()) reader.skip(65);
  const hasNalHrd = reader.bit() === 1;
  if (hasNalHrd) skipHrd(reader);
  const hasVclHrd = reader.bit() === 1;
  if (hasVclHrd) skipHrd(reader);
  if (hasNalHrd || hasVclHrd) reader.bit();
  reader.bit();
  if (!reader.bit()) return undefined;
  reader.bit();
  for (let i = 0; i < 4; i++) reader.unsigned();
  const reorderFrames = reader.unsigned();
  return reorderFrames <= 16 ? reorderFrames : undefined;
}

function skipHrd(reader: BitReader): void {
  const count = Math.min(31, reader.unsigned());
  reader.skip(8);
  for (let i = 0; i <= count; i++) {
    reader.unsigned();
    reader.unsigned();
    reader.bit();
  }
  reader.skip(20);
}

/** Whether a slice is bi-predicted (H.264 §7.4.3, slice_type 1 or 6): browsers cannot show such streams. */
export function isBSlice(nal: Uint8Array): boolean {
  if (h264NalType(nal) !== h264Nal.slice) return false;
  const reader = new BitReader(unescapeNal(nal, 16), 1);
  reader.unsigned();
  return reader.unsigned() % 5 === 1;
}
