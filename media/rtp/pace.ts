// Owns: how many packets may go at once. Pure.

export interface PaceOptions {
  readonly perMs: number;
  /** At most so many one behind the other, however long nothing went. */
  readonly burst: number;
}

/**
 * What the time since the last packets allows. By the clock, not by the turn of an event loop: where that is late, it has
 * the more to send, and so many a turn would let the rest pile up.
 */
export class Pace {
  readonly #options: PaceOptions;
  #allowed: number;
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#allowed = options.burst;
  }

  /** @returns whether one may go now */
  take(nowMs: number): boolean {
    const { perMs, burst } = this.#options;
    this.#allowed = Math.min(burst, this.#allowed + Math.max(0, nowMs - this.#sinceMs) * perMs);
    this.#sinceMs = nowMs;
    if (this.#allowed < 1) return false;
    this.#allowed -= 1;
    return true;
  }
}
