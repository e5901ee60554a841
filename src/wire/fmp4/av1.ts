// Owns: the configuration of AV1 as its sequence header tells it (AV1 Codec ISO Media File Format Binding). Pure.

import { HeaderBits } from './bits.ts';
import { u8 } from './box.ts';

export interface Av1Config {
  readonly profile: number;
  readonly level: number;
  readonly tier: number;
  readonly bitDepth: number;
  readonly isMonochrome: boolean;
  readonly subsamplingX: number;
  readonly subsamplingY: number;
  /** The OBU with its header and size, as the record wants it. */
  readonly sequenceHeader: Uint8Array;
}

const sequenceHeaderType = 1;
const temporalDelimiterType = 2;

interface Obu {
  readonly type: number;
  readonly whole: Uint8Array;
  readonly payload: Uint8Array;
}

/** AV1 bitstream specification §5.3, low-overhead format: each OBU says its size. Stops at what it cannot read. */
function* obusOf(unit: Uint8Array): Generator<Obu> {
  for (let at = 0; at < unit.length; ) {
    const head = unit[at] ?? 0;
    const hasSize = (head & 2) !== 0;
    let payloadAt = at + ((head & 4) !== 0 ? 2 : 1);
    let size = 0;
    if (!hasSize) size = unit.length - payloadAt;
    for (let shift = 0; hasSize && shift < 28; shift += 7) {
      const byte = unit[payloadAt++] ?? 0;
      size += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) break;
    }
    const end = payloadAt + size;
    if (size < 0 || end > unit.length) return;
    yield { type: (head >> 3) & 15, whole: unit.subarray(at, end), payload: unit.subarray(payloadAt, end) };
    at = end;
  }
}

/** A sample has no temporal delimiters (§2.4 of the binding). */
export function av1Sample(unit: Uint8Array): readonly Uint8Array[] {
  return [...obusOf(unit)].filter(({ type }) => type !== temporalDelimiterType).map(({ whole }) => whole);
}

/** §5.5. @returns undefined where there is no sequence header */
export function parseAv1(unit: Uint8Array): Av1Config | undefined {
  const found = [...obusOf(unit)].find(({ type }) => type === sequenceHeaderType);
  if (!found) return undefined;
  const bits = new HeaderBits(found.payload);
  const profile = bits.read(3);
  bits.read(1); // still_picture
  const isReduced = bits.flag();
  const { level, tier } = isReduced ? { level: bits.read(5), tier: 0 } : readOperatingPoints(bits);
  skipToColor(bits, isReduced);
  return { profile, level, tier, ...readColor(bits, profile), sequenceHeader: found.whole };
}

function readOperatingPoints(bits: HeaderBits): { level: number; tier: number } {
  let decoderModelBits = 0;
  if (bits.flag()) {
    bits.read(32);
    bits.read(32);
    if (bits.flag()) skipVlc(bits); // equal_picture_interval
    if (bits.flag()) {
      decoderModelBits = bits.read(5) + 1;
      bits.read(32);
      bits.read(10);
    }
  }
  const hasDisplayDelay = bits.flag();
  const points = bits.read(5) + 1;
  let first: { level: number; tier: number } | undefined;
  for (let point = 0; point < points; point++) {
    bits.read(12);
    const level = bits.read(5);
    const tier = level > 7 ? bits.read(1) : 0;
    if (decoderModelBits > 0 && bits.flag()) bits.read(decoderModelBits * 2 + 1);
    if (hasDisplayDelay && bits.flag()) bits.read(4);
    first ??= { level, tier };
  }
  return first ?? { level: 0, tier: 0 };
}

function skipVlc(bits: HeaderBits): void {
  let zeros = 0;
  while (zeros < 32 && !bits.flag()) zeros += 1;
  bits.read(zeros);
}

function skipToColor(bits: HeaderBits, isReduced: boolean): void {
  const [widthBits, heightBits] = [bits.read(4) + 1, bits.read(4) + 1];
  bits.read(widthBits);
  bits.read(heightBits);
  if (!isReduced && bits.flag()) bits.read(7); // delta_frame_id_length, additional_frame_id_length
  bits.read(3); // 128x128 superblocks, filter intra, intra edge filter
  if (!isReduced) {
    bits.read(4); // interintra, masked, warped, dual filter
    const hasOrderHint = bits.flag();
    if (hasOrderHint) bits.read(2);
    const screenContent = bits.flag() ? 2 : bits.read(1);
    if (screenContent > 0 && !bits.flag()) bits.read(1);
    if (hasOrderHint) bits.read(3);
  }
  bits.read(3); // superres, cdef, restoration
}

function readColor(
  bits: HeaderBits,
  profile: number,
): Pick<Av1Config, 'bitDepth' | 'isMonochrome' | 'subsamplingX' | 'subsamplingY'> {
  const isHigh = bits.flag();
  const bitDepth = profile === 2 && isHigh ? (bits.flag() ? 12 : 10) : isHigh ? 10 : 8;
  const isMonochrome = profile !== 1 && bits.flag();
  const color = bits.flag() ? [bits.read(8), bits.read(8), bits.read(8)] : [2, 2, 2];
  if (isMonochrome) return { bitDepth, isMonochrome, subsamplingX: 1, subsamplingY: 1 };
  const isSrgb = color[0] === 1 && color[1] === 13 && color[2] === 0;
  if (!isSrgb) bits.read(1); // color_range
  if (isSrgb || profile === 1) return { bitDepth, isMonochrome, subsamplingX: 0, subsamplingY: 0 };
  if (profile === 0) return { bitDepth, isMonochrome, subsamplingX: 1, subsamplingY: 1 };
  if (bitDepth !== 12) return { bitDepth, isMonochrome, subsamplingX: 1, subsamplingY: 0 };
  const subsamplingX = bits.read(1);
  return { bitDepth, isMonochrome, subsamplingX, subsamplingY: subsamplingX === 1 ? bits.read(1) : 0 };
}

/** AV1CodecConfigurationRecord, §2.3.3 of the binding. */
export function av1Record(config: Av1Config): Buffer {
  const { profile, level, tier, bitDepth, isMonochrome, subsamplingX, subsamplingY } = config;
  const flags =
    (tier << 7) |
    ((bitDepth > 8 ? 1 : 0) << 6) |
    ((bitDepth === 12 ? 1 : 0) << 5) |
    ((isMonochrome ? 1 : 0) << 4) |
    (subsamplingX << 3) |
    (subsamplingY << 2);
  return Buffer.concat([u8(0x81, (profile << 5) | level, flags, 0), config.sequenceHeader]);
}
