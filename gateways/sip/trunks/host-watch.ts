// Owns: whether one host of a trunk answers: OPTIONS from time to time, and what calls have found out.
import { EventEmitter } from 'node:events';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { TrunkHostState } from '#core/trunk.ts';
import type { SipLink } from '../link.ts';
import { wordsOf } from '../status.ts';

export interface HostWatchOptions {
  readonly link: Pick<SipLink, 'request' | 'isUp'>;
  readonly host: string;
  readonly uri: string;
  /** 0 asks nothing: then only calls tell. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** One lost packet is no reason to send calls elsewhere. */
const failuresToDown = 2;

export class HostWatch extends Owned {
  readonly events = new EventEmitter<{ changed: [] }>();
  readonly #options: HostWatchOptions;
  #state: TrunkHostState['state'] = 'unknown';
  #roundTripMs: number | undefined;
  #lastError: string | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HostWatchOptions) {
    super();
    this.#options = options;
    if (options.intervalMs > 0) this.#in(0);
  }

  get info(): TrunkHostState {
    const { host } = this.#options;
    return { host, state: this.#state, roundTripMs: this.#roundTripMs, lastError: this.#lastError };
  }

  /** A call got an answer of it, whatever it was. */
  noteAnswer(): void {
    this.#answered(this.#roundTripMs);
  }

  noteSilence(message: string): void {
    this.#failed(message);
  }

  #in(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.isClosed) this.#timer = setTimeout(() => void this.#ask(), ms).unref();
  }

  async #ask(): Promise<void> {
    const { link, uri, host, timeoutMs, intervalMs } = this.#options;
    const startedAtMs = performance.now();
    try {
      // Without a link of our own nothing is known of theirs.
      if (link.isUp) {
        const status = await withinMs(
          timeoutMs,
          link.request('OPTIONS', uri, { headers: { accept: 'application/sdp' } }),
        );
        // Any answer shows that somebody is there; these say that calls are not taken.
        if (status.status === 408 || status.status === 503) this.#failed(`${host} ${wordsOf(status)}.`);
        else this.#answered(performance.now() - startedAtMs);
      }
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    }
    // Sooner while it is in doubt.
    this.#in(this.#failures > 0 && this.#state !== 'down' ? Math.min(intervalMs, 2_000) : intervalMs);
  }

  #answered(roundTripMs: number | undefined): void {
    const isNews = this.#state !== 'up';
    this.#failures = 0;
    this.#roundTripMs = roundTripMs;
    this.#lastError = undefined;
    this.#state = 'up';
    if (isNews) this.events.emit('changed');
  }

  #failed(message: string): void {
    if (this.isClosed) return;
    this.#failures += 1;
    this.#lastError = message;
    if (this.#failures < failuresToDown || this.#state === 'down') return;
    this.#state = 'down';
    this.events.emit('changed');
  }

  protected override onClose(_reason: CloseReason): void {
    clearTimeout(this.#timer);
  }
}

function withinMs<T>(ms: number, work: Promise<T>): Promise<T> {
  // Should it fail after nobody waits for it any more.
  work.catch(() => undefined);
  return Promise.race([
    work,
    new Promise<never>((_resolve, reject) => {
      setTimeout(() => reject(new Error(`No answer within ${ms} ms.`)), ms).unref();
    }),
  ]);
}
