// Owns: MPEG-1, -2 and -2.5 audio, layers 1 to 3 (ISO/IEC 11172-3 §2.4.1.3, 13818-3). Pure. May import: its neighbours.
import type { FrameHeader } from './audio-frames.ts';

/** kbit/s by bitrate_index, 1 to 14. */
const bitratesKbps = {
  v1l1: [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  v1l2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  v1l3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  v2l1: [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  v2l23: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const;
const sampleRatesHz = [44_100, 48_000, 32_000] as const;
/** By the two bits of version: 2.5, none, 2, 1. */
const rateDivisors = [4, 0, 2, 1] as const;

export function parseMpegAudio(bytes: Buffer, at: number): FrameHeader | 'more' | undefined {
  if (bytes[at] !== 0xff) return undefined;
  if (at + 4 > bytes.length) return 'more';
  const [, sync = 0, rates = 0, mode = 0] = bytes.subarray(at, at + 4);
  const divisor = rateDivisors[(sync >> 3) & 3] ?? 0;
  const layer = 4 - ((sync >> 1) & 3);
  const baseRateHz = sampleRatesHz[(rates >> 2) & 3];
  const kbps = bitratesOf(divisor === 1, layer)[(rates >> 4) - 1];
  if ((sync & 0xe0) !== 0xe0 || divisor === 0 || layer === 4 || baseRateHz === undefined || kbps === undefined) {
    return undefined;
  }
  const sampleRateHz = baseRateHz / divisor;
  const padding = (rates >> 1) & 1;
  const samples = layer === 1 ? 384 : layer === 3 && divisor > 1 ? 576 : 1_152;
  const frameBytes =
    layer === 1
      ? (Math.floor((12_000 * kbps) / sampleRateHz) + padding) * 4
      : Math.floor(((samples / 8) * 1_000 * kbps) / sampleRateHz) + padding;
  return {
    format: { codec: layer === 3 ? 'mp3' : 'mp2', sampleRateHz, channels: mode >> 6 === 3 ? 1 : 2 },
    frameBytes,
    durationUs: (samples * 1_000_000) / sampleRateHz,
    payload: { from: 0, to: frameBytes },
  };
}

function bitratesOf(isVersion1: boolean, layer: number): readonly number[] {
  if (!isVersion1) return layer === 1 ? bitratesKbps.v2l1 : bitratesKbps.v2l23;
  return [bitratesKbps.v1l1, bitratesKbps.v1l2, bitratesKbps.v1l3][layer - 1] ?? [];
}
