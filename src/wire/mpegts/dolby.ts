// Owns: AC-3 and E-AC-3 (ETSI TS 102 366, ATSC A/52), which announce themselves by the same word. Pure.
// May import: its neighbours.
import type { FrameHeader } from './audio-frames.ts';

const sampleRatesHz = [48_000, 44_100, 32_000] as const;
const bitratesKbps = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640] as const;
/** By acmod, without the low frequency channel. */
const channelsOf = [2, 1, 2, 3, 3, 4, 4, 5] as const;
const samplesPerBlock = 256;
const headerBytes = 8;

export function parseDolby(bytes: Buffer, at: number): FrameHeader | 'more' | undefined {
  if (bytes[at] !== 0x0b) return undefined;
  if (at + headerBytes > bytes.length) return 'more';
  if (bytes[at + 1] !== 0x77) return undefined;
  const bsid = (bytes[at + 5] ?? 0) >> 3;
  if (bsid > 16) return undefined;
  return bsid <= 10 ? ac3(bytes, at) : eac3(bytes, at);
}

/** §4.3 and §4.4.1, table 4.13: lengths in words of 16 bits. */
function ac3(bytes: Buffer, at: number): FrameHeader | undefined {
  const code = bytes[at + 4] ?? 0;
  const sampleRateHz = sampleRatesHz[code >> 6];
  const kbps = bitratesKbps[(code & 0x3f) >> 1];
  if (sampleRateHz === undefined || kbps === undefined) return undefined;
  const exactWords = (kbps * 1_000 * 6 * samplesPerBlock) / sampleRateHz / 16;
  const words = Math.floor(exactWords) + (sampleRateHz === 44_100 ? code & 1 : 0);
  const modes = bytes.readUInt16BE(at + 6);
  const acmod = modes >> 13;
  // Two bits of mixing level for each of centre, surround and Dolby Surround, where there is any (§4.4.2).
  const levelBits = (acmod & 1 && acmod !== 1 ? 2 : 0) + (acmod & 4 ? 2 : 0) + (acmod === 2 ? 2 : 0);
  const lfe = (modes >> (12 - levelBits)) & 1;
  return {
    format: { codec: 'ac3', sampleRateHz, channels: (channelsOf[acmod] ?? 2) + lfe },
    frameBytes: words * 2,
    durationUs: (6 * samplesPerBlock * 1_000_000) / sampleRateHz,
    payload: { from: 0, to: words * 2 },
  };
}

/** Annex E §E.1.2.2. */
function eac3(bytes: Buffer, at: number): FrameHeader | undefined {
  const sizes = bytes.readUInt16BE(at + 2);
  const flags = bytes[at + 4] ?? 0;
  const rateCode = flags >> 6;
  const low = (flags >> 4) & 3;
  const baseHz = sampleRatesHz[rateCode === 3 ? low : rateCode];
  if (baseHz === undefined) return undefined;
  const sampleRateHz = rateCode === 3 ? baseHz / 2 : baseHz;
  const blocks = rateCode === 3 ? 6 : ([1, 2, 3, 6][low] ?? 6);
  const frameBytes = ((sizes & 0x7ff) + 1) * 2;
  if (frameBytes < headerBytes) return undefined;
  // Dependent streams add channels beyond 5.1, other independent ones are other programs: neither is heard here.
  const isMain = sizes >> 14 !== 1 && ((sizes >> 11) & 7) === 0;
  return {
    format: { codec: 'eac3', sampleRateHz, channels: (channelsOf[(flags >> 1) & 7] ?? 2) + (flags & 1) },
    frameBytes,
    durationUs: isMain ? (blocks * samplesPerBlock * 1_000_000) / sampleRateHz : 0,
    payload: isMain ? { from: 0, to: frameBytes } : undefined,
  };
}
