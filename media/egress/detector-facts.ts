// Owns: which filters look for what, and what their words mean. Pure. May import: core's words, its neighbours.
import type { AnalysisLevels, DetectorName, Detectors } from '#core/analysis-messages.ts';
import { Latch } from './latch.ts';

export type Chain = readonly (readonly [name: string, args: string])[];
type Facts = Readonly<Record<string, string>>;

/** On the clock of the frames that are looked at, milliseconds. */
export interface Found {
  readonly detector: DetectorName;
  readonly phase: 'begun' | 'over' | 'moment';
  readonly atMs: number;
  readonly values: Readonly<Record<string, number>>;
}

/** It is louder or quieter for so long before it is told. */
const loudnessSettleMs = 1_000;
/** What ebur128 says of nothing at all is far below this; it is silence, not quiet speech. */
const leastLufs = -70;

export function pictureChain({ black, freeze, scene, motion }: Detectors): Chain {
  return [
    ...(black ? ([['blackdetect', `d=0:pix_th=${black.darkness}:pic_th=${black.share}`]] as const) : []),
    ...(freeze ? ([['freezedetect', `n=${freeze.noise}:d=${freeze.minDurationMs / 1_000}`]] as const) : []),
    ...(scene ? ([['scdet', `threshold=${scene.threshold}`]] as const) : []),
    ...(motion ? ([['signalstats', '']] as const) : []),
  ];
}

/** ebur128 cuts sound into pieces of its own, which lose what was said of them before: it goes first. */
export function soundChain({ silence, loudness }: Detectors): Chain {
  return [
    ...(loudness ? ([['ebur128', 'metadata=1']] as const) : []),
    ...(silence ? ([['silencedetect', `n=${silence.levelDb}dB:d=${silence.minDurationMs / 1_000}`]] as const) : []),
  ];
}

/** Reads what filters say of one frame after the other. */
export class FactReader {
  readonly #detectors: Detectors;
  readonly #black: Latch;
  readonly #motion: Latch;
  readonly #loudness = new Latch(loudnessSettleMs, loudnessSettleMs);
  #isBlack = false;
  levels: AnalysisLevels = {};

  constructor(detectors: Detectors) {
    this.#detectors = detectors;
    this.#black = new Latch(detectors.black?.minDurationMs ?? 0);
    this.#motion = new Latch(0, detectors.motion?.quietMs ?? 0);
  }

  /** @param nowMs of the frame */
  read(facts: Facts, nowMs: number): Found[] {
    return [
      ...this.#readBlack(facts, nowMs),
      ...spans('freeze', facts, 'lavfi.freezedetect.freeze_start', 'lavfi.freezedetect.freeze_end'),
      ...this.#readScene(facts, nowMs),
      ...this.#readMotion(facts, nowMs),
      ...spans('silence', facts, 'lavfi.silence_start', 'lavfi.silence_end'),
      ...this.#readLoudness(facts, nowMs),
    ];
  }

  #readBlack(facts: Facts, nowMs: number): Found[] {
    if (!this.#detectors.black) return [];
    if ('lavfi.black_start' in facts) this.#isBlack = true;
    if ('lavfi.black_end' in facts) this.#isBlack = false;
    const change = this.#black.note(this.#isBlack, nowMs);
    return change ? [{ detector: 'black', ...change, values: {} }] : [];
  }

  #readScene(facts: Facts, nowMs: number): Found[] {
    const score = numberOf(facts['lavfi.scd.score']);
    if (!('lavfi.scd.time' in facts) || score === undefined) return [];
    return [{ detector: 'scene', phase: 'moment', atMs: nowMs, values: { score } }];
  }

  #readMotion(facts: Facts, nowMs: number): Found[] {
    const { motion } = this.#detectors;
    const difference = numberOf(facts['lavfi.signalstats.YDIF']);
    if (!motion || difference === undefined) return [];
    this.levels = { ...this.levels, motion: difference };
    const change = this.#motion.note(difference >= motion.minDifference, nowMs);
    return change ? [{ detector: 'motion', ...change, values: { difference } }] : [];
  }

  #readLoudness(facts: Facts, nowMs: number): Found[] {
    const { loudness } = this.#detectors;
    const shortTermLufs = lufsOf(facts['lavfi.r128.S']);
    if (!loudness || !('lavfi.r128.M' in facts)) return [];
    this.levels = {
      ...this.levels,
      momentaryLufs: lufsOf(facts['lavfi.r128.M']),
      shortTermLufs,
      integratedLufs: lufsOf(facts['lavfi.r128.I']),
      rangeLu: numberOf(facts['lavfi.r128.LRA']),
    };
    const { minLufs = Number.NEGATIVE_INFINITY, maxLufs = Number.POSITIVE_INFINITY } = loudness;
    const isOutside = shortTermLufs !== undefined && (shortTermLufs > maxLufs || shortTermLufs < minLufs);
    const change = this.#loudness.note(isOutside, nowMs);
    if (!change) return [];
    return [{ detector: 'loudness', ...change, values: shortTermLufs === undefined ? {} : { shortTermLufs } }];
  }
}

/** What a filter times by itself: seconds. */
function spans(detector: DetectorName, facts: Facts, start: string, end: string): Found[] {
  const [startS, endS] = [numberOf(facts[start]), numberOf(facts[end])];
  return [
    ...(startS === undefined ? [] : [{ detector, phase: 'begun' as const, atMs: startS * 1_000, values: {} }]),
    ...(endS === undefined ? [] : [{ detector, phase: 'over' as const, atMs: endS * 1_000, values: {} }]),
  ];
}

function numberOf(text: string | undefined): number | undefined {
  const number = Number(text);
  return text === undefined || !Number.isFinite(number) ? undefined : number;
}

function lufsOf(text: string | undefined): number | undefined {
  const lufs = numberOf(text);
  return lufs === undefined || lufs <= leastLufs ? undefined : lufs;
}
