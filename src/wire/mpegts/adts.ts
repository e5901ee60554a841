// Owns: AAC in ADTS (ISO/IEC 13818-7 §6.2, 14496-3 §1.A.2.2). Pure. May import: its neighbours.
import type { FrameHeader } from './audio-frames.ts';

export const aacSampleRatesHz = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
] as const;
const samplesPerBlock = 1_024;

export function parseAdts(bytes: Buffer, at: number): FrameHeader | 'more' | undefined {
  if (bytes[at] !== 0xff) return undefined;
  if (at + 7 > bytes.length) return 'more';
  const [, sync = 0, profile = 0, middle = 0] = bytes.subarray(at, at + 4);
  const rateIndex = (profile >> 2) & 0x0f;
  const sampleRateHz = aacSampleRatesHz[rateIndex];
  if ((sync & 0xf6) !== 0xf0 || sampleRateHz === undefined) return undefined;
  const headerBytes = sync & 1 ? 7 : 9;
  const frameBytes = (bytes.readUIntBE(at + 3, 3) >> 5) & 0x1fff;
  if (frameBytes <= headerBytes) return undefined;
  const channelConfig = ((profile & 1) << 2) | (middle >> 6);
  const blocks = ((bytes[at + 6] ?? 0) & 3) + 1;
  const objectType = (profile >> 6) + 1;
  return {
    format: {
      codec: 'aac',
      sampleRateHz,
      channels: channelConfig === 7 ? 8 : channelConfig || 2,
      config: audioSpecificConfig(objectType, rateIndex, channelConfig),
    },
    frameBytes,
    durationUs: (blocks * samplesPerBlock * 1_000_000) / sampleRateHz,
    // Several blocks in one frame lie apart only for who decodes them; no encoder of today makes any.
    payload: blocks === 1 ? { from: headerBytes, to: frameBytes } : undefined,
  };
}

/** ISO/IEC 14496-3 §1.6.2.1: five bits of object type, four of rate, four of channels, three of nothing special. */
function audioSpecificConfig(objectType: number, rateIndex: number, channelConfig: number): Buffer {
  const bits = (objectType << 11) | (rateIndex << 7) | (channelConfig << 3);
  return Buffer.from([bits >> 8, bits & 0xff]);
}
