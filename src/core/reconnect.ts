// Owns: how long to wait before trying again. Pure: the caller has the clock, the timer and the dice.

export interface ReconnectOptions {
  /** One for each failure in a row; the last one from then on. */
  readonly delaysMs: readonly number[];
  /** 0.2: up to a fifth more or less, so that many who lost the same server do not come back in one moment. */
  readonly jitter: number;
  /** A connection that lasted so long with media counts as good, and the delays begin anew. */
  readonly goodAfterMs: number;
  /** Failures in a row after which to give up. */
  readonly maxAttempts?: number | undefined;
}

export const defaultReconnect: ReconnectOptions = {
  delaysMs: [1_000, 2_000, 5_000, 10_000, 30_000],
  jitter: 0.2,
  goodAfterMs: 10_000,
};

export class ReconnectPolicy {
  readonly #options: ReconnectOptions;
  readonly #random: () => number;
  #failures = 0;

  /** @param random 0 ≤ x < 1 */
  constructor(options: ReconnectOptions = defaultReconnect, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * After a connection was lost or could not be made.
   * @param liveMs how long media flowed over it; 0 when none ever did
   * @returns milliseconds to wait; undefined when it is time to give up
   */
  failed(liveMs: number): number | undefined {
    const { delaysMs, jitter, goodAfterMs, maxAttempts } = this.#options;
    this.#failures = liveMs >= goodAfterMs ? 1 : this.#failures + 1;
    if (maxAttempts !== undefined && this.#failures > maxAttempts) return undefined;
    const delayMs = delaysMs[Math.min(this.#failures, delaysMs.length) - 1] ?? 0;
    return Math.round(delayMs * (1 - jitter + 2 * jitter * this.#random()));
  }
}
