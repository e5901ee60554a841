// Owns: one trunk at work: registration, hosts, calls under way and how many more it may have, and its state.
import { EventEmitter } from 'node:events';
import { GatewayError } from '#core/errors.ts';
import { randomText } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { TokenBucket } from '#core/token-bucket.ts';
import type { TrunkLimits, TrunkLineState, TrunkOutbound, TrunkRecord, TrunkStatus } from '#core/trunk.ts';
import type { SipCredentials } from '../digest.ts';
import type { SipLink } from '../link.ts';
import { HostWatch } from './host-watch.ts';
import { Registration } from './registration.ts';
import { type HostTarget, targetsOf, uriOfHost } from './trunk-targets.ts';

export interface TrunkLineOptions {
  readonly trunk: TrunkRecord;
  readonly password: string | undefined;
  readonly link: Pick<SipLink, 'request' | 'isUp' | 'events'>;
  readonly memory: TrunkMemory;
  readonly log: Logger;
}

/** What outlives a change of the trunk: its calls go on, and the registrar goes on calling the Contact it was told. */
export interface TrunkMemory {
  readonly calls: { inbound: number; outbound: number };
  /** Of our Contact there: nobody can guess it, so whoever calls it was told it by the registrar. */
  readonly contactUser: string;
}

export function newTrunkMemory(): TrunkMemory {
  return { calls: { inbound: 0, outbound: 0 }, contactUser: `t${randomText(20).toLowerCase()}` };
}

export const defaultNoAnswerMs = 4_000;
const defaultKeepAliveSec = 30;
const defaultExpiresSec = 600;

export class TrunkLine extends Owned {
  readonly events = new EventEmitter<{ changed: [status: TrunkStatus, before: TrunkLineState] }>();
  readonly trunk: TrunkRecord;
  /** In the Contact of our registration: whoever calls that was told it by the registrar. */
  readonly contactUser: string;
  readonly #options: TrunkLineOptions;
  readonly #watches: readonly HostWatch[];
  readonly #registration: Registration | undefined;
  readonly #calls: TrunkMemory['calls'];
  readonly #buckets: { inbound: TokenBucket | undefined; outbound: TokenBucket | undefined };
  #state: TrunkLineState;
  #sinceMs = Date.now();
  #lastError: string | undefined;
  #lastErrorAtMs: number | undefined;
  #mediaProblem: string | undefined;

  constructor(options: TrunkLineOptions) {
    super();
    const { trunk } = options;
    const { outbound, inbound, isEnabled } = trunk;
    this.trunk = trunk;
    this.#options = options;
    this.#state = isEnabled ? 'unknown' : 'disabled';
    this.#calls = options.memory.calls;
    this.contactUser = outbound?.registration?.contactUser ?? options.memory.contactUser;
    this.#buckets = { inbound: bucketOf(inbound), outbound: bucketOf(outbound) };
    this.#watches = isEnabled && outbound ? this.#watchesOf(outbound) : [];
    this.#registration = isEnabled && outbound?.registration ? this.#register(outbound) : undefined;
    for (const part of [...this.#watches, this.#registration]) part?.events.on('changed', () => this.#judge());
  }

  get status(): TrunkStatus {
    const { isEnabled } = this.trunk;
    return {
      state: isEnabled && this.#mediaProblem !== undefined ? 'down' : this.#state,
      sinceMs: this.#sinceMs,
      lastError: this.#mediaProblem ?? this.#lastError,
      lastErrorAtMs: this.#lastErrorAtMs,
      inboundCalls: this.#calls.inbound,
      outboundCalls: this.#calls.outbound,
      registration: this.#registration && {
        state: this.#registration.state,
        expiresAtMs: this.#registration.expiresAtMs,
      },
      hosts: this.#watches.map(({ info }) => info),
    };
  }

  get credentials(): SipCredentials | undefined {
    const { outbound } = this.trunk;
    const { password } = this.#options;
    if (outbound?.username === undefined || password === undefined) return undefined;
    return { username: outbound.authUsername ?? outbound.username, password };
  }

  /** Whether it was told this Contact by us, and nobody else: one that the configuration names could be guessed. */
  isCalledBy(user: string): boolean {
    const { isEnabled, outbound } = this.trunk;
    if (!isEnabled || !outbound?.registration || outbound.registration.contactUser !== undefined) return false;
    return user === this.contactUser;
  }

  /** This machine has another address: the registrar is told, where there is one. */
  registerAgain(): void {
    this.#registration?.again();
  }

  /** Where a call to this number is tried, in order; hosts that are down come last. */
  targetsFor(number: string): HostTarget[] {
    const { outbound } = this.trunk;
    if (!outbound) return [];
    const isDown = (host: string) => this.#watches.some(({ info }) => info.host === host && info.state === 'down');
    const all = targetsOf(outbound, number, this.#registration?.serviceRoute);
    return [...all.filter(({ host }) => !isDown(host)), ...all.filter(({ host }) => isDown(host))];
  }

  /**
   * Counts a call until it is `over`.
   * @throws GatewayError `overloaded` (calls at once), `rate_limited` (calls per second), each with when to try again
   */
  admit(direction: 'inbound' | 'outbound', over: Promise<unknown>): void {
    const limits: TrunkLimits | undefined = this.trunk[direction];
    const { name } = this.trunk;
    if (this.#calls[direction] >= (limits?.maxCalls ?? Number.POSITIVE_INFINITY)) {
      throw new GatewayError(
        'overloaded',
        `The trunk "${name}" has ${this.#calls[direction]} calls, the most that it may have.`,
        {
          retryAfterMs: 5_000,
        },
      );
    }
    const waitMs = this.#buckets[direction]?.take(performance.now()) ?? 0;
    if (waitMs > 0) {
      // What is refused is not owed.
      this.#buckets[direction]?.take(performance.now(), -1);
      throw new GatewayError(
        'rate_limited',
        `The trunk "${name}" may bring ${limits?.callsPerSecond} calls per second.`,
        {
          retryAfterMs: Math.max(1_000, waitMs),
        },
      );
    }
    this.#calls[direction] += 1;
    const done = (): void => {
      this.#calls[direction] -= 1;
    };
    over.then(done, done);
  }

  /** Whoever has the media of its calls cannot take any, or can again (undefined). */
  noteMedia(problem: string | undefined): void {
    if (problem === this.#mediaProblem) return;
    const before = this.status.state;
    this.#mediaProblem = problem;
    if (problem !== undefined) this.#failed(problem);
    this.#tell(before);
  }

  noteHost(host: string, failure: string | undefined): void {
    const watch = this.#watches.find(({ info }) => info.host === host);
    if (failure === undefined) {
      watch?.noteAnswer();
      return;
    }
    const words = `${host}: ${failure}`;
    this.#failed(words);
    watch?.noteSilence(words);
  }

  #watchesOf({ hosts, transport = 'udp', keepAliveSec = defaultKeepAliveSec, noAnswerMs }: TrunkOutbound): HostWatch[] {
    const { link } = this.#options;
    return hosts.map((host) =>
      this.own(
        new HostWatch({
          ...{ link, host, uri: uriOfHost(host, transport), intervalMs: keepAliveSec * 1_000 },
          timeoutMs: noAnswerMs ?? defaultNoAnswerMs,
        }),
      ),
    );
  }

  #register({ hosts, transport = 'udp', domain, username = '', registration }: TrunkOutbound): Registration {
    const { link, log } = this.#options;
    return this.own(
      new Registration({
        ...{ link, log, transport, contactUser: this.contactUser, credentials: this.credentials },
        registrars: hosts.map((host) => uriOfHost(host, transport)),
        addressOfRecord: `sip:${encodeURIComponent(username)}@${domain ?? hostOnly(hosts[0] ?? '')}`,
        expiresSec: registration?.expiresSec ?? defaultExpiresSec,
      }),
    );
  }

  #judge(): void {
    if (this.isClosed) return;
    const before = this.status.state;
    this.#state = this.#judged();
    const error = this.#registration?.lastError ?? this.#watches.find(({ info }) => info.lastError)?.info.lastError;
    if (error !== undefined) this.#failed(error);
    this.#tell(before);
  }

  #tell(before: TrunkLineState): void {
    if (before === this.status.state) return;
    this.#sinceMs = Date.now();
    this.events.emit('changed', this.status, before);
  }

  #judged(): TrunkLineState {
    const states = this.#watches.map(({ info }) => info.state);
    if (states.length > 0 && states.every((state) => state === 'down')) return 'down';
    if (this.#registration) {
      if (this.#registration.state === 'registered') return 'up';
      return this.#registration.state === 'failed' ? 'down' : this.#state;
    }
    return states.includes('up') ? 'up' : this.#state;
  }

  #failed(message: string): void {
    this.#lastError = message.slice(0, 300);
    this.#lastErrorAtMs = Date.now();
  }

  protected override onClose(_reason: CloseReason): void {
    this.events.removeAllListeners();
  }
}

function bucketOf(limits: TrunkLimits | undefined): TokenBucket | undefined {
  const rate = limits?.callsPerSecond;
  return rate === undefined ? undefined : new TokenBucket(rate, Math.max(1, rate), performance.now());
}

function hostOnly(host: string): string {
  return host.replace(/:\d+$/, '');
}
