// Owns: how much an encoder that several receivers share may spend, as what each of them can take is estimated. Pure.
// May import: core only.
import { encodableBps } from './view-messages.ts';

/** Estimates waver; one that is lower than this part of what is sent means it. */
const tooMuchShare = 0.95;
/** The rest is for sound and for what is sent again. */
const videoShare = 0.85;
/** Estimates begin low and climb; who has just come does not make the picture worse for all who are there. */
const graceMs = 6_000;
/** Of what was asked for: a receiver that cannot take even this much loses packets, and does not take the picture from the others. */
const floorShare = 0.25;
/** VP8 and VP9 are opened anew for another bitrate and begin with a key frame, so small changes are left alone. */
const worthwhileDrop = 0.93;
const worthwhileRise = 1.12;
const leastBetweenDropsMs = 2_000;
const leastBetweenRisesMs = 4_000;
/** An estimate is never much above what is sent: nothing tells how much more there could be. Then it is tried, in steps. */
const blindRise = 1.5;

export class BitrateFollower {
  readonly #askedBps: number;
  /** By receiver: when it was first seen. */
  readonly #since = new Map<string, number>();
  #bps: number;
  #changedMs = Number.NEGATIVE_INFINITY;

  /** @param askedBps never more than this */
  constructor(askedBps: number) {
    this.#askedBps = askedBps;
    this.#bps = askedBps;
  }

  /** Whether anybody is estimated to take less than was asked for, or was until now: `fit` wants to know what is spent. */
  concerns(estimates: ReadonlyMap<string, number>): boolean {
    return this.#bps < this.#askedBps || [...estimates.values()].some((bps) => bps * videoShare < this.#askedBps);
  }

  /**
   * @param estimates bit/s by receiver, of all who receive it now and have one
   * @param spentBps what it has come to: a still picture takes little of what it may
   * @returns what to spend from now on; undefined: what it was
   */
  fit(estimates: ReadonlyMap<string, number>, spentBps: number, nowMs: number): number | undefined {
    const wanted = Math.round(this.#wanted(this.#leastOf(estimates, nowMs), spentBps));
    if (!this.#isWorthwhile(wanted, nowMs)) return undefined;
    this.#bps = wanted;
    this.#changedMs = nowMs;
    return wanted;
  }

  #leastOf(estimates: ReadonlyMap<string, number>, nowMs: number): number {
    for (const id of this.#since.keys()) if (!estimates.has(id)) this.#since.delete(id);
    let leastBps = Number.POSITIVE_INFINITY;
    for (const [id, bps] of estimates) {
      const since = this.#since.get(id) ?? nowMs;
      this.#since.set(id, since);
      if (nowMs - since >= graceMs) leastBps = Math.min(leastBps, bps);
    }
    return leastBps;
  }

  #wanted(leastBps: number, spentBps: number): number {
    const mostBps = leastBps * videoShare;
    // An estimate above what is sent says nothing against sending that.
    const isTooMuch = leastBps < spentBps * tooMuchShare;
    const isSeldomFull = spentBps < Math.min(mostBps, this.#bps) * 0.8;
    const wanted = isTooMuch ? mostBps : Math.max(mostBps, this.#bps * (isSeldomFull ? blindRise : 1));
    return Math.min(this.#askedBps, encodableBps(Math.max(wanted, this.#askedBps * floorShare)));
  }

  #isWorthwhile(wanted: number, nowMs: number): boolean {
    const sinceMs = nowMs - this.#changedMs;
    if (wanted <= this.#bps * worthwhileDrop) return sinceMs >= leastBetweenDropsMs;
    const isBack = wanted === this.#askedBps && wanted > this.#bps;
    return (isBack || wanted >= this.#bps * worthwhileRise) && sinceMs >= leastBetweenRisesMs;
  }
}
