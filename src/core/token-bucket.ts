// Owns: "so many per second, with some in reserve". Pure.

/** Fills at a steady rate up to a burst; taking from an empty one goes into debt and says how long to wait. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #updatedAtMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#updatedAtMs = nowMs;
  }

  /** @returns milliseconds until this taking is paid for; 0 when there was enough */
  take(nowMs: number, tokens = 1): number {
    const elapsedMs = Math.max(0, nowMs - this.#updatedAtMs);
    this.#updatedAtMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs * this.#perSecond) / 1_000) - tokens;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / this.#perSecond;
  }

  /** The same for what is refused where there is not enough: that is not owed. */
  tryTake(nowMs: number): number {
    const waitMs = this.take(nowMs);
    if (waitMs > 0) this.#tokens += 1;
    return waitMs;
  }
}
