// Owns: what a call sounds like, estimated by the E-model (ITU-T G.107, G.113) from delay, loss and codec. Pure.
import type { LegCodec } from '#core/leg-media.ts';

/** Equipment impairment and robustness to loss, G.113 appendix I; Opus and wideband G.722 as their narrow-band kin. */
const codecs: Readonly<Record<LegCodec, { readonly impairment: number; readonly robustness: number }>> = {
  pcmu: { impairment: 0, robustness: 25.1 },
  pcma: { impairment: 0, robustness: 25.1 },
  g722: { impairment: 0, robustness: 20 },
  opus: { impairment: 0, robustness: 30 },
};

/**
 * @param oneWayDelayMs mouth to ear: half the round trip and the jitter buffer
 * @param lossShare 0..1, of frames that were lost or came too late
 * @returns mean opinion score, 1..4.5
 */
export function estimateMos(codec: LegCodec, oneWayDelayMs: number, lossShare: number): number {
  const { impairment, robustness } = codecs[codec];
  const lossPercent = Math.min(100, lossShare * 100);
  const delay = 0.024 * oneWayDelayMs + (oneWayDelayMs > 177.3 ? 0.11 * (oneWayDelayMs - 177.3) : 0);
  const equipment = impairment + (95 - impairment) * (lossPercent / (lossPercent + robustness));
  const r = 93.2 - delay - equipment;
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return Math.max(1, Math.min(4.5, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6));
}
