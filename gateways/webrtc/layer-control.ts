// Owns: which simulcast layer a receiver gets when the SFU cannot estimate its bandwidth (no transport-cc towards peers
// with their own numbers): by what its receiver reports say of loss. Pure. May import: nothing.

export interface LayerState {
  /** Highest layer allowed now. */
  readonly layer: number;
  /** Since when the line has been good. */
  readonly goodSinceMs: number;
  /** How long it must be good before the next step up; doubles whenever a step up turns out to have been too much. */
  readonly patienceMs: number;
  /** When the last step up was; undefined once it has held. */
  readonly triedAtMs: number | undefined;
}

export interface LineReport {
  /** 0..10, mediasoup's, of the way to this receiver alone. */
  readonly score: number;
  /** 0..1, of the last receiver report. */
  readonly fractionLost: number;
}

const firstPatienceMs = 10_000;
const longestPatienceMs = 160_000;
/** A step up that is regretted sooner than this was too much for the line. */
const regretMs = 20_000;
const badLoss = 0.1;
const goodLoss = 0.02;
const badScore = 7;

export const initialLayers = (highest: number, nowMs: number): LayerState => ({
  layer: highest,
  goodSinceMs: nowMs,
  patienceMs: firstPatienceMs,
  triedAtMs: undefined,
});

/** One step down at once when the line is bad, one up after it has long been good. */
export function nextLayers(state: LayerState, report: LineReport, highest: number, nowMs: number): LayerState {
  const layer = Math.min(state.layer, highest);
  const isBad = report.fractionLost > badLoss || report.score < badScore;
  if (isBad) {
    const isRegretted = state.triedAtMs !== undefined && nowMs - state.triedAtMs < regretMs;
    return {
      layer: Math.max(0, layer - 1),
      goodSinceMs: nowMs,
      patienceMs: isRegretted ? Math.min(longestPatienceMs, state.patienceMs * 2) : state.patienceMs,
      triedAtMs: undefined,
    };
  }
  if (report.fractionLost > goodLoss) return { ...state, layer, goodSinceMs: nowMs };
  const hasHeld = state.triedAtMs !== undefined && nowMs - state.triedAtMs >= regretMs;
  const held = hasHeld ? { triedAtMs: undefined, patienceMs: firstPatienceMs } : {};
  if (layer < highest && nowMs - state.goodSinceMs >= state.patienceMs) {
    return { ...state, ...held, layer: layer + 1, goodSinceMs: nowMs, triedAtMs: nowMs };
  }
  return { ...state, ...held, layer };
}
