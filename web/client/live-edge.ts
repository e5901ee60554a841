// Owns: how a player stays near what is made now. Pure. May import: nothing.

export interface EdgeView {
  /** What is buffered, seconds. */
  readonly startS: number;
  readonly endS: number;
  /** What is shown. */
  readonly positionS: number;
}

export interface EdgeStep {
  readonly seekToS?: number;
  readonly rate: number;
}

/** Enough for what a network and a busy browser do; less stalls, more is late. */
const targetS = 0.25;
/** Farther behind it jumps; nearer it hurries, which nobody hears. */
const jumpS = 2;
const hurryS = 0.5;
const hurryRate = 1.1;

export function followEdge({ startS, endS, positionS }: EdgeView): EdgeStep {
  const aheadS = endS - positionS;
  const isOutside = positionS < startS || aheadS < 0;
  if (isOutside || aheadS > jumpS) return { seekToS: Math.max(startS, endS - targetS), rate: 1 };
  return { rate: aheadS > hurryS ? hurryRate : 1 };
}
