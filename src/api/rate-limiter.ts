// Owns: RateLimiter in memory. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { RateLimiter } from '#core/ports.ts';
import { limitKey } from './client-address.ts';

export interface RateLimitOptions {
  /** So many in one window, at once or spread over it. */
  readonly points: number;
  readonly windowMs: number;
  /** Named to who is refused: `requests`, `wrong credentials`. */
  readonly what: string;
  /** Keys that are remembered; beyond it the ones longest not seen are forgotten. */
  readonly maxKeys?: number;
}

/**
 * A bucket for each address (a /64 of IPv6 is one) that fills up evenly (GCRA): one number per key, no timer, and bounded memory, so that a flood
 * from ever new addresses costs nothing but itself. (rate-limiter-flexible keeps a timer for every key and has no bound,
 * and its answer comes by promise where the port's is immediate.)
 */
export class MemoryRateLimiter implements RateLimiter {
  readonly #options: Required<RateLimitOptions>;
  readonly #perPointMs: number;
  /** When the bucket of a key will be full again, in order of last use. */
  readonly #fullAtMs = new Map<string, number>();

  constructor(options: RateLimitOptions) {
    this.#options = { maxKeys: 100_000, ...options };
    this.#perPointMs = options.windowMs / options.points;
  }

  /** @throws GatewayError `rate_limited` with `retryAfterMs`; a refused attempt takes nothing */
  consume(address: string, points = 1): void {
    this.check(address, points);
    const key = limitKey(address);
    const now = performance.now();
    const fullAtMs = Math.max(now, this.#fullAtMs.get(key) ?? now) + points * this.#perPointMs;
    this.#fullAtMs.delete(key);
    this.#fullAtMs.set(key, fullAtMs);
    if (this.#fullAtMs.size > this.#options.maxKeys) this.#forgetOldest();
  }

  /** Whether `consume` would pass now; takes nothing. @throws GatewayError `rate_limited` with `retryAfterMs` */
  check(address: string, points = 1): void {
    const now = performance.now();
    const fullAtMs = Math.max(now, this.#fullAtMs.get(limitKey(address)) ?? now) + points * this.#perPointMs;
    // A microsecond of slack: sums of fractions must not cost the last point.
    const waitMs = fullAtMs - now - this.#options.windowMs - 0.001;
    if (waitMs <= 0) return;
    const { points: limit, windowMs, what } = this.#options;
    throw new GatewayError('rate_limited', `Too many ${what}: at most ${limit} in ${windowMs / 1_000} s.`, {
      retryAfterMs: Math.ceil(waitMs),
    });
  }

  #forgetOldest(): void {
    const { value: oldest } = this.#fullAtMs.keys().next();
    if (oldest !== undefined) this.#fullAtMs.delete(oldest);
  }
}
