// Owns: how often the API may be asked, by address and by key. May import: core, config, ./rate-limiter.
import type { LimitsConfig } from '#config/schema.ts';
import type { Principal } from '#core/grants.ts';
import type { RateLimiter } from '#core/ports.ts';
import { MemoryRateLimiter } from './rate-limiter.ts';

/** What one may make a lot of with few requests' worth of work for itself and much for us. */
export type Made = 'rooms' | 'tokens';

const minuteMs = 60_000;
const bucket = (points: number, what: string) => new MemoryRateLimiter({ points, windowMs: minuteMs, what });

/** Both have to have something left: many keys at one address share what that has, and one key at many addresses its own. */
export class ApiLimits {
  /** By address; whoever answers requests elsewhere than in the routes asks it itself. */
  readonly requests: RateLimiter;
  readonly #byKey: MemoryRateLimiter;
  readonly #made: Readonly<Record<Made, MemoryRateLimiter>>;

  constructor(config: LimitsConfig) {
    this.requests = bucket(config.requestsPerMinute, 'requests');
    this.#byKey = bucket(config.requestsPerMinutePerKey, 'requests with this key');
    this.#made = {
      rooms: bucket(config.roomsPerMinute, 'rooms made'),
      tokens: bucket(config.tokensPerMinute, 'join tokens made'),
    };
  }

  /** Join tokens are many and each is one person's: their address counts. @throws GatewayError `rate_limited` */
  countRequest(principal: Principal): void {
    if (principal.kind !== 'participant') this.#byKey.consume(keyOf(principal));
  }

  /** @throws GatewayError `rate_limited`; nothing is taken then */
  countMade(made: Made, principal: Principal | undefined, address: string): void {
    const limiter = this.#made[made];
    limiter.check(address);
    if (principal && principal.kind !== 'participant') limiter.consume(keyOf(principal));
    limiter.consume(address);
  }
}

/** Never that of an address. */
const keyOf = ({ kind, keyId }: Extract<Principal, { keyId: string }>): string => `${kind} ${keyId}`;
