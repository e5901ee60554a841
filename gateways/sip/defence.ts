// Owns: what is held against whom: wrong passwords, scanners, calls to nowhere, too many calls at once.

import { isAddressIn } from '#core/address-ranges.ts';
import type { Bans } from '#core/bans.ts';
import { GatewayError } from '#core/errors.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import { TokenBucket } from '#core/token-bucket.ts';
import type { InboundRequest } from './inbound-call.ts';

export interface DefenceOptions {
  readonly bans: Bans;
  /** From one address, and from all together; trunks have limits of their own. */
  readonly callsPerSecondPerAddress: number;
  readonly callsPerSecond: number;
  /** Bound by neither. */
  readonly exemptNetworks: readonly string[];
  readonly log: Logger;
}

/** Names that the usual scanners give themselves. It is easily changed, so that this is the first net and not the last. */
const scanners =
  /friendly-scanner|sipvicious|sipcli|sundayddr|vaxsipuseragent|pplsip|sipsak-scan|iwar\b|sipscan|smap\b|eyebeam-scan/i;
const scannerWeight = 1_000;
const offences = {
  wrong_password: { weight: 1, words: 'Too many wrong passwords.' },
  wrong_pin: { weight: 1, words: 'Too many wrong PINs.' },
  locked_out: { weight: 0.5, words: 'Goes on guessing while it may not.' },
  nowhere: { weight: 0.5, words: 'Too many calls to nobody.' },
  flood: { weight: 0.1, words: 'Too many calls at once.' },
  no_ack: { weight: 0.2, words: 'Too many calls without an ACK.' },
  scanner: { weight: scannerWeight, words: 'Calls itself a scanner.' },
} as const;

export type Offence = keyof typeof offences;

const maxAddresses = 20_000;
/** Each call of a phone with an account is asked for its password first, and phones that register are. */
const asksPerCall = 4;

export class Defence {
  readonly #options: DefenceOptions;
  readonly #all: TokenBucket;
  readonly #calls: Buckets;
  readonly #asks: Buckets;
  readonly #others: Buckets;

  constructor(options: DefenceOptions) {
    this.#options = options;
    this.#all = new TokenBucket(options.callsPerSecond, options.callsPerSecond * 2, performance.now());
    this.#calls = new Buckets(options.callsPerSecondPerAddress);
    this.#asks = new Buckets(options.callsPerSecondPerAddress * asksPerCall);
    this.#others = new Buckets(options.callsPerSecondPerAddress * asksPerCall);
    options.bans.events.on('banned', ({ address, reason, untilMs, source }) => {
      const until = untilMs === undefined ? undefined : new Date(untilMs).toISOString();
      options.log.warn({ offender: address, reason, until, source }, 'sip address banned');
    });
  }

  /** The one line that fail2ban and the like look for: docs/protocols/sip.md. */
  note(offence: Offence, { source, callId }: Pick<InboundRequest, 'source' | 'callId'>): void {
    const { weight, words } = offences[offence];
    this.#options.log.warn({ offender: source.address, offence, sipCallId: callId }, 'sip offence');
    this.#options.bans.note(source.address, words, weight);
  }

  /** @returns whether it says itself that it is one; then it is banned, and hears nothing more */
  isScanner(request: Pick<InboundRequest, 'header' | 'source' | 'callId'>): boolean {
    const names = `${request.header('user-agent') ?? ''} ${request.header('from') ?? ''}`.slice(0, 1_024);
    if (!scanners.test(names)) return false;
    this.note('scanner', request);
    return true;
  }

  /** @throws GatewayError `rate_limited` with when to try again: calls that are on are not touched by it */
  assertMayCall(request: Pick<InboundRequest, 'source' | 'callId'>): void {
    if (isAddressIn(request.source.address, this.#options.exemptNetworks)) return;
    const nowMs = performance.now();
    const { address } = request.source;
    // What one address may not, it does not take from all.
    const waitMs =
      this.#calls.wouldWait(address, nowMs) || this.#all.tryTake(nowMs) || this.#calls.wait(address, nowMs);
    if (waitMs > 0) throw this.#flooded(request, 'There are too many new calls; try again later.', waitMs);
  }

  /** How long a call from there would have to wait now, milliseconds; nothing is taken and nobody is blamed. */
  callWaitMs(address: string): number {
    const nowMs = performance.now();
    const waitMs = Math.max(this.#calls.wouldWait(address, nowMs), wouldWait(this.#all, nowMs));
    return waitMs > 0 && isAddressIn(address, this.#options.exemptNetworks) ? 0 : waitMs;
  }

  /** The same for a request that is to be asked for a password. */
  askWaitMs(address: string): number {
    const waitMs = this.#asks.wouldWait(address, performance.now());
    return waitMs > 0 && isAddressIn(address, this.#options.exemptNetworks) ? 0 : waitMs;
  }

  /** Takes the place of one request that is neither call nor REGISTER. @returns how long it would have to wait for it */
  otherWaitMs(address: string): number {
    const waitMs = this.#others.wait(address, performance.now());
    return waitMs > 0 && isAddressIn(address, this.#options.exemptNetworks) ? 0 : waitMs;
  }

  /** One more of a flood; those that are told of in the log are `note()`d. */
  countFlood(address: string): void {
    const { weight, words } = offences.flood;
    this.#options.bans.note(address, words, weight);
  }

  /** Before it is asked for a password, which costs it nothing. @throws GatewayError `rate_limited` */
  assertMayAsk(request: Pick<InboundRequest, 'source' | 'callId'>): void {
    if (isAddressIn(request.source.address, this.#options.exemptNetworks)) return;
    const waitMs = this.#asks.wait(request.source.address, performance.now());
    if (waitMs > 0) throw this.#flooded(request, 'There are too many requests without a password.', waitMs);
  }

  #flooded(request: Pick<InboundRequest, 'source' | 'callId'>, words: string, waitMs: number): GatewayError {
    this.note('flood', request);
    return new GatewayError('rate_limited', words, { retryAfterMs: Math.max(1_000, waitMs) });
  }
}

/** One for each address, for as many as have been here lately. */
class Buckets {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** @returns how long it has to wait, milliseconds; 0 when one was taken */
  wait(address: string, nowMs: number): number {
    return this.#of(address, nowMs).tryTake(nowMs);
  }

  /** The same, and nothing is taken. */
  wouldWait(address: string, nowMs: number): number {
    const bucket = this.#buckets.get(addressGroup(address));
    return bucket ? wouldWait(bucket, nowMs) : 0;
  }

  #of(address: string, nowMs: number): TokenBucket {
    const key = addressGroup(address);
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#perSecond, Math.max(1, this.#perSecond * 2), nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.size > maxAddresses ? this.#buckets.keys() : [];
    if (oldest !== undefined) this.#buckets.delete(oldest);
    return bucket;
  }
}

function wouldWait(bucket: TokenBucket, nowMs: number): number {
  const waitMs = bucket.take(nowMs);
  bucket.take(nowMs, -1);
  return waitMs;
}
