// Owns: "so many per minute from one address", for joins and whatever else is dear. May import: core only.
import { GatewayError } from './errors.ts';
import type { RateLimiter } from './ports.ts';
import { TokenBucket } from './token-bucket.ts';

/** More addresses than this are not remembered: the one unheard for longest is forgotten, and starts afresh. */
const maxKeys = 50_000;

/** One IPv6 customer has a /64 to choose addresses from, so it counts as one. */
export function limiterKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

export class AddressLimiter implements RateLimiter {
  readonly #perMinute: number;
  readonly #nowMs: () => number;
  /** Least recently used first. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(perMinute: number, nowMs: () => number = Date.now) {
    this.#perMinute = perMinute;
    this.#nowMs = nowMs;
  }

  consume(address: string, points = 1): void {
    const key = limiterKey(address);
    const nowMs = this.#nowMs();
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#perMinute / 60, this.#perMinute, nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > maxKeys) this.#buckets.delete(this.#buckets.keys().next().value as string);
    const retryAfterMs = Math.ceil(bucket.take(nowMs, points));
    if (retryAfterMs === 0) return;
    // A refused asking is not paid for: hammering on does not push the end of the wait away for ever.
    bucket.take(nowMs, -points);
    throw new GatewayError(
      'rate_limited',
      `Too many requests from your address; try again in ${Math.ceil(retryAfterMs / 1_000)} s.`,
      {
        retryAfterMs,
      },
    );
  }
}
