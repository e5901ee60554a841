// Owns: the configuration of VP9 as its frames tell it (VP Codec ISO Media File Format Binding, v1.0). Pure.

import { HeaderBits } from './bits.ts';
import { u8, u16 } from './box.ts';

export interface Vp9Config {
  readonly profile: number;
  /** Ten times the level's number. */
  readonly level: number;
  readonly bitDepth: number;
  /** 1: 4:2:0 with the chroma sample at the corner; 2: 4:2:2; 3: 4:4:4. */
  readonly chromaSubsampling: number;
}

/**
 * VP9 bitstream specification §6.2: the uncompressed header of a key frame. The level is no part of the stream: the
 * smallest that the size and 60 pictures a second need.
 * @returns undefined when it is no key frame
 */
export function parseVp9(
  frame: Uint8Array,
  { width, height }: { width: number; height: number },
): Vp9Config | undefined {
  const bits = new HeaderBits(frame);
  if (bits.read(2) !== 2) return undefined;
  const profile = bits.read(1) + bits.read(1) * 2;
  if (profile === 3) bits.read(1);
  const isRepeated = bits.flag();
  const isInter = bits.flag();
  if (isRepeated || isInter) return undefined;
  bits.read(2); // show_frame, error_resilient_mode
  if (bits.read(24) !== 0x498342) return undefined;
  const bitDepth = profile >= 2 ? (bits.flag() ? 12 : 10) : 8;
  const isRgb = bits.read(3) === 7;
  let chromaSubsampling = 1;
  if (profile === 1 || profile === 3) {
    if (!isRgb) bits.read(1); // color_range
    const [x, y] = isRgb ? [0, 0] : [bits.read(1), bits.read(1)];
    chromaSubsampling = x === 0 ? 3 : y === 0 ? 2 : 1;
  }
  return { profile, level: levelFor(width * height * 60), bitDepth, chromaSubsampling };
}

/** VPCodecConfigurationRecord, §2.2. */
export function vp9Record({ profile, level, bitDepth, chromaSubsampling }: Vp9Config): Buffer {
  // Colours unspecified (2), which every player takes for what the size suggests.
  return Buffer.concat([u8(profile, level, (bitDepth << 4) | (chromaSubsampling << 1), 2, 2, 2), u16(0)]);
}

/** Annex A, by luma samples a second. */
const levels: readonly (readonly [samplesPerS: number, level: number])[] = [
  ...([
    [829_440, 10],
    [2_764_800, 11],
    [4_608_000, 20],
    [9_216_000, 21],
    [20_736_000, 30],
    [36_864_000, 31],
    [83_558_400, 40],
    [160_432_128, 41],
    [311_951_360, 50],
    [588_251_136, 51],
  ] as const),
];

function levelFor(samplesPerS: number): number {
  return levels.find(([most]) => samplesPerS <= most)?.[1] ?? 52;
}
