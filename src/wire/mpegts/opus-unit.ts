// Owns: Opus in MPEG-TS: each packet behind a control header (the draft of the Opus authors, as FFmpeg writes it). Pure.
// May import: its neighbours.
import type { FrameHeader } from './audio-frames.ts';

const controlPrefix = 0x7fe0; // eleven bits of the first two bytes
const maxSizeBytes = 64; // a packet of 16 kB in steps of 255

export function parseOpusUnit(bytes: Buffer, at: number, channels: number): FrameHeader | 'more' | undefined {
  if (bytes[at] !== 0x7f) return undefined;
  if (at + 3 > bytes.length) return 'more';
  const control = bytes.readUInt16BE(at);
  if ((control & 0xffe0) !== controlPrefix) return undefined;
  let size = 0;
  let position = at + 2;
  for (let byte = 255; byte === 255; position++) {
    if (position >= bytes.length) return 'more';
    if (position - at > maxSizeBytes) return undefined;
    byte = bytes[position] ?? 0;
    size += byte;
  }
  position += (control & 0x10 ? 2 : 0) + (control & 0x08 ? 2 : 0);
  if (control & 0x04) {
    if (position >= bytes.length) return 'more';
    position += 1 + (bytes[position] ?? 0);
  }
  if (position >= bytes.length) return 'more';
  const from = position - at;
  return {
    format: { codec: 'opus', sampleRateHz: 48_000, channels },
    frameBytes: from + size,
    durationUs: opusDurationUs(bytes, position),
    payload: { from, to: from + size },
  };
}

/** RFC 6716 §3.1: the table of contents says how long a frame is, and how many there are. */
function opusDurationUs(bytes: Buffer, at: number): number {
  const toc = bytes[at] ?? 0;
  const config = toc >> 3;
  const frameUs =
    config < 12
      ? [10_000, 20_000, 40_000, 60_000][config & 3]
      : config < 16
        ? [10_000, 20_000][config & 1]
        : [2_500, 5_000, 10_000, 20_000][config & 3];
  const code = toc & 3;
  const count = code === 0 ? 1 : code < 3 ? 2 : (bytes[at + 1] ?? 1) & 0x3f;
  return (frameUs ?? 20_000) * Math.max(1, count);
}
