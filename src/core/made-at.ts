// Owns: the times by which a list stands in the order of making. Pure. May import: nothing.

/** Further back than that the clock was set, and is followed. */
const maxAheadMs = 1_000;

/** One for each list: ids are random, and two things are made in one millisecond. */
export class MadeAt {
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @returns epoch milliseconds, later than those before: by one where the clock has not gone on */
  next(nowMs = Date.now()): number {
    const isTooSoon = nowMs <= this.#lastMs && this.#lastMs - nowMs < maxAheadMs;
    this.#lastMs = isTooSoon ? this.#lastMs + 1 : nowMs;
    return this.#lastMs;
  }
}
