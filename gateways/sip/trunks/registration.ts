// Owns: our being registered with one carrier or PBX: the first REGISTER, its refreshes, and what is done when they fail.
import { EventEmitter } from 'node:events';
import { randomText } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import type { SipAnswer } from '../dialog.ts';
import type { SipCredentials } from '../digest.ts';
import { maxChallenges } from '../digest.ts';
import type { SipLink } from '../link.ts';
import { wordsOf } from '../status.ts';
import { grantedSeconds, routeOf, secondsIn } from './register-words.ts';

export interface RegistrationOptions {
  readonly link: Pick<SipLink, 'request' | 'isUp' | 'events'>;
  /** `sip:pbx.example;transport=tcp`, tried in this order. */
  readonly registrars: readonly string[];
  /** `sip:alice@pbx.example` */
  readonly addressOfRecord: string;
  readonly contactUser: string;
  readonly transport: string;
  readonly credentials: SipCredentials | undefined;
  readonly expiresSec: number;
  readonly log: Logger;
  /** 0..1, so that many gateways do not come back at once. */
  readonly random?: () => number;
}

export type RegistrationState = 'registering' | 'registered' | 'failed';

const firstRetryMs = 2_000;
const maxRetryMs = 300_000;
/** Wrong passwords get accounts locked, so these are tried again slowly. */
const refusedRetryMs = 60_000;
const requestTimeoutMs = 40_000;
const farewellMs = 2_000;
const maxExpiresSec = 86_400;

/**
 *   registering ──200──> registered ──85 % of its time, a new link or address──> registering (stays registered meanwhile)
 *        │                         └──its time is over──> failed
 *        └──anything else──> failed ──2 s, 4 s … 5 min; 60 s and more after 401, 403──> registering
 */
export class Registration extends Owned {
  readonly events = new EventEmitter<{ changed: [] }>();
  readonly #options: RegistrationOptions;
  readonly #callId = randomText(24);
  #state: RegistrationState = 'registering';
  #cseq = 1;
  #expiresSec: number;
  #place = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #expiresAtMs: number | undefined;
  #lastError: string | undefined;
  #route: string | undefined;

  constructor(options: RegistrationOptions) {
    super();
    this.#options = options;
    this.#expiresSec = options.expiresSec;
    options.link.events.on('connected', this.again);
    this.again();
  }

  get state(): RegistrationState {
    return this.#state;
  }

  get expiresAtMs(): number | undefined {
    return this.#expiresAtMs;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Where calls by this registration go first (RFC 3608). */
  get serviceRoute(): string | undefined {
    return this.#route;
  }

  /** At once: where we are reached may have changed. */
  readonly again = (): void => this.#in(0);

  #in(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.isClosed) this.#timer = setTimeout(() => void this.#refresh(), ms).unref();
  }

  async #refresh(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const waitMs = await this.#attempt();
    this.#isAsking = false;
    this.#in(waitMs);
  }

  /** @returns how long to wait before the next one, milliseconds */
  async #attempt(): Promise<number> {
    try {
      let answer = await this.#ask(this.#expiresSec);
      const minSec = answer.status === 423 ? secondsIn(answer.header('min-expires')) : undefined;
      if (minSec !== undefined && minSec > this.#expiresSec && minSec <= maxExpiresSec) {
        this.#expiresSec = minSec;
        answer = await this.#ask(minSec);
      }
      if (this.isClosed) return 0;
      return answer.status < 300 ? this.#registered(answer) : this.#refused(answer);
    } catch (error) {
      const waitMs = this.#backOff();
      this.#failed(error instanceof Error ? error.message : String(error));
      return waitMs;
    }
  }

  #registered(answer: SipAnswer): number {
    const { contactUser, log } = this.#options;
    const seconds = grantedSeconds(answer, contactUser) ?? this.#expiresSec;
    const isNews = this.#state !== 'registered';
    this.#state = 'registered';
    this.#failures = 0;
    this.#lastError = undefined;
    this.#route = routeOf(answer.header('service-route'));
    this.#expiresAtMs = Date.now() + seconds * 1_000;
    clearTimeout(this.#expiryTimer);
    this.#expiryTimer = setTimeout(() => this.#expired(), seconds * 1_000).unref();
    if (isNews) log.info({ seconds, hasServiceRoute: this.#route !== undefined }, 'registered with trunk');
    this.events.emit('changed');
    return Math.max(1_000, seconds * 850);
  }

  #refused(answer: SipAnswer): number {
    const { status, reason, header } = answer;
    const retryAfterSec = secondsIn(header('retry-after'));
    const isRefusal = status === 401 || status === 403 || status === 407;
    let waitMs = this.#backOff();
    if (isRefusal) waitMs = Math.max(waitMs, refusedRetryMs);
    if (retryAfterSec !== undefined) waitMs = Math.max(waitMs, Math.min(retryAfterSec, 3_600) * 1_000);
    const what = isRefusal ? `refuses the credentials: ${status} ${reason}` : wordsOf(answer);
    this.#failed(`The registrar ${what}.`);
    return waitMs;
  }

  #failed(message: string): void {
    if (this.isClosed) return;
    this.#lastError = message;
    // Until its time is over the last registration holds, whatever became of this refresh.
    const isHolding = this.#state === 'registered' && (this.#expiresAtMs ?? 0) > Date.now();
    if (!isHolding) this.#state = 'failed';
    this.#options.log.warn({ reason: message, isHolding }, 'registration failed');
    this.events.emit('changed');
  }

  /** No refresh has come through meanwhile: nobody calls us here any more, whenever the next one is tried. */
  #expired(): void {
    if (this.isClosed) return;
    this.#lastError ??= 'The registration is over, and the registrar has not answered its refresh.';
    this.#state = 'failed';
    this.events.emit('changed');
  }

  #backOff(): number {
    const { random = Math.random, registrars } = this.#options;
    this.#failures += 1;
    this.#place += 1;
    // All hosts in turn before anybody waits.
    const rounds = Math.floor((this.#failures - 1) / registrars.length);
    const waitMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(20, rounds));
    return waitMs * (0.75 + random() / 2);
  }

  async #ask(expiresSec: number): Promise<SipAnswer> {
    const { link, registrars, addressOfRecord, contactUser, transport, credentials } = this.#options;
    const registrar = registrars[this.#place % registrars.length] ?? '';
    const cseq = this.#cseq;
    // The link answers challenges with the numbers after it.
    this.#cseq += 1 + maxChallenges;
    const suffix = transport === 'udp' ? '' : `;transport=${transport}`;
    const headers = {
      from: `<${addressOfRecord}>`,
      to: `<${addressOfRecord}>`,
      'call-id': this.#callId,
      cseq: `${cseq} REGISTER`,
      contact: `<sip:${contactUser}@localhost${suffix}>;expires=${expiresSec}`,
      expires: String(expiresSec),
      supported: 'path',
    };
    const asked = link.request('REGISTER', registrar, { headers, ...(credentials && { credentials }) });
    // Should it fail after nobody waits for it any more.
    asked.catch(() => undefined);
    return Promise.race([asked, this.#tooLate()]);
  }

  #tooLate(): Promise<never> {
    return new Promise((_resolve, reject) => {
      setTimeout(() => reject(new Error('The registrar does not answer.')), requestTimeoutMs).unref();
    });
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearTimeout(this.#timer);
    clearTimeout(this.#expiryTimer);
    this.#options.link.events.off('connected', this.again);
    if (this.#state !== 'registered' || !this.#options.link.isUp) return;
    // Away politely, so that no call is sent here any more; but nobody waits long for it.
    const gone = this.#ask(0).catch(() => undefined);
    await Promise.race([gone, new Promise((wake) => setTimeout(wake, farewellMs).unref())]);
  }
}
