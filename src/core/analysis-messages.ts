// Owns: what is looked for in the media of a room, and what is told of it. May import: nothing.

/** What becomes an event; each with the limits that it is judged by. Times are milliseconds. */
export interface Detectors {
  /** `share` of the pixels are darker than `darkness` (0..1 of white). */
  readonly black?: { readonly minDurationMs: number; readonly darkness: number; readonly share: number } | undefined;
  /** Two pictures differ by less than `noise` (0..1), also because none comes any more. */
  readonly freeze?: { readonly minDurationMs: number; readonly noise: number } | undefined;
  /** The picture changes at once by more than `threshold` percent. */
  readonly scene?: { readonly threshold: number } | undefined;
  /** Brightness differs from picture to picture by `minDifference` (0..255) on average. */
  readonly motion?: { readonly minDifference: number; readonly quietMs: number } | undefined;
  readonly silence?: { readonly minDurationMs: number; readonly levelDb: number } | undefined;
  /** Short-term loudness (EBU R 128, three seconds) outside of these, LUFS. */
  readonly loudness?: { readonly minLufs?: number | undefined; readonly maxLufs?: number | undefined } | undefined;
}

export const pictureDetectors = ['black', 'freeze', 'scene', 'motion'] as const;
export const soundDetectors = ['silence', 'loudness'] as const;
export const detectorNames = [...pictureDetectors, ...soundDetectors] as const;
export type DetectorName = (typeof detectorNames)[number];

/** Measured now, for who reads it; what nobody looks for is absent. */
export interface AnalysisLevels {
  readonly motion?: number | undefined;
  readonly momentaryLufs?: number | undefined;
  readonly shortTermLufs?: number | undefined;
  readonly integratedLufs?: number | undefined;
  readonly rangeLu?: number | undefined;
}

export interface Finding {
  readonly detector: DetectorName;
  /** `moment` has no length. */
  readonly phase: 'begun' | 'over' | 'moment';
  /** Epoch milliseconds, of the media as it came. */
  readonly atMs: number;
  /** `score`, `difference`, `shortTermLufs`: what it was judged by. */
  readonly values: Readonly<Record<string, number>>;
}

/** Takes the media of an egress apart and says what it sees and hears in it. */
export interface AnalysisSinkSpec {
  readonly type: 'analyse';
  readonly detectors: Detectors;
  /** Pictures looked at in a second. */
  readonly framerateHz: number;
}
