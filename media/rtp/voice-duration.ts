// Owns: how long the audio in an RTP payload lasts.

/** 120 ms at 48 kHz: the longest packet of Opus. */
const maxOpusSamples = 5_760;

/** Ticks of the RTP clock that a payload lasts. */
export function durationOf(
  codec: 'opus' | 'pcmu' | 'pcma' | 'g722',
  bytes: Uint8Array,
  offset = 0,
  length = bytes.length,
): number {
  if (codec !== 'opus' || length === 0) return length;
  // RFC 6716 §3.1: configuration, then how many frames.
  const toc = bytes[offset] ?? 0;
  const config = toc >> 3;
  const frame =
    config < 12
      ? ([480, 960, 1_920, 2_880][config & 3] ?? 960)
      : config < 16
        ? 480 << (config & 1)
        : 120 << (config & 3);
  const code = toc & 3;
  const count = code === 0 ? 1 : code < 3 ? 2 : ((length > 1 ? bytes[offset + 1] : undefined) ?? 1) & 0x3f;
  return Math.min(maxOpusSamples, frame * count);
}
