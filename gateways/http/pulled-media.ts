// Owns: what every pull of this folder has in common: its start, its time limits, its end, for which it gives the reason.
// May import: core, its neighbours.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import { Pacer } from './pacer.ts';

export interface PulledMediaOptions {
  /** Until the first media. */
  readonly startTimeoutMs?: number | undefined;
  /** Without media, after the first. */
  readonly stallTimeoutMs?: number | undefined;
}

/** What a pull plays on. */
export interface Stage {
  /** Fires when it is over. */
  readonly signal: AbortSignal;
  /** Hands on at once: for what arrives live. */
  readonly live: SourceSink;
  /** Hands on in real time: for what is read as fast as one likes. */
  readonly paced: Pacer;
  readonly startTimeoutMs: number;
  readonly stallTimeoutMs: number;
  /** Media comes in pieces of this length: silence has to be longer to count. */
  allowSilence(ms: number): void;
  /** Called when the pipeline wants less or more again; live bodies are read accordingly. */
  onPause(apply: (isPaused: boolean) => void): void;
}

const defaultTimeoutMs = 10_000;
/** Another attempt would end the same way. */
const finalCodes: ReadonlySet<string> = new Set([
  ...['forbidden', 'upstream_refused', 'unsupported_media_type', 'invalid_request', 'not_found'],
]);

/** One attempt; another one is another object. */
export class PulledMedia implements MediaSource {
  readonly #play: (stage: Stage) => Promise<void>;
  readonly #abort = new AbortController();
  readonly #done = Promise.withResolvers<SourceEnd>();
  readonly #startTimeoutMs: number;
  #stallTimeoutMs: number;
  #pacer: Pacer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastMediaMs = 0;
  #isPaused = false;
  #applyPause: ((isPaused: boolean) => void) | undefined;

  /** @param play settles when there is no more to play; what it throws is the reason of a failure */
  constructor(options: PulledMediaOptions, play: (stage: Stage) => Promise<void>) {
    this.#play = play;
    this.#startTimeoutMs = options.startTimeoutMs ?? defaultTimeoutMs;
    this.#stallTimeoutMs = options.stallTimeoutMs ?? defaultTimeoutMs;
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#pacer || this.#isOver) return;
    const live: SourceSink = {
      describe: (stream) => !this.#isOver && sink.describe(stream),
      deliver: (unit) => {
        if (this.#isOver) return;
        this.#noteMedia();
        sink.deliver(unit);
      },
    };
    const paced = new Pacer(live);
    this.#pacer = paced;
    this.#timer = setTimeout(
      () => this.#fail(new GatewayError('timeout', 'No media came in time.')),
      this.#startTimeoutMs,
    );
    const stage: Stage = {
      ...{ signal: this.#abort.signal, live, paced },
      ...{ startTimeoutMs: this.#startTimeoutMs, stallTimeoutMs: this.#stallTimeoutMs },
      allowSilence: (ms) => {
        this.#stallTimeoutMs = Math.max(this.#stallTimeoutMs, ms);
      },
      onPause: (apply) => {
        this.#applyPause = apply;
        if (this.#isPaused) apply(true);
      },
    };
    this.#play(stage).then(
      () => this.#end('peer_left'),
      (thrown) => this.#fail(toGatewayError(thrown)),
    );
  }

  /** Nobody can be asked. */
  requestKeyFrame(): boolean {
    return false;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#pacer?.hold();
    this.#applyPause?.(true);
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#lastMediaMs = performance.now();
    this.#pacer?.release();
    this.#applyPause?.(false);
  }

  close(reason: CloseReason = 'requested'): void {
    this.#end(reason);
  }

  get #isOver(): boolean {
    return this.#abort.signal.aborted;
  }

  #noteMedia(): void {
    const isFirst = this.#lastMediaMs === 0;
    this.#lastMediaMs = performance.now();
    if (!isFirst) return;
    clearTimeout(this.#timer);
    // Looked at now and then: a timer for each unit would cost more than the unit.
    this.#timer = setInterval(() => this.#watch(), Math.min(500, this.#stallTimeoutMs / 2));
  }

  #watch(): void {
    if (this.#isPaused || performance.now() - this.#lastMediaMs < this.#stallTimeoutMs) return;
    this.#fail(new GatewayError('timeout', `No media came for ${this.#stallTimeoutMs / 1_000} s.`));
  }

  #fail(error: GatewayError): void {
    this.#end(error.code === 'timeout' ? 'timeout' : 'failed', error);
  }

  #end(reason: CloseReason, error?: GatewayError): void {
    if (this.#isOver) return;
    clearInterval(this.#timer);
    this.#abort.abort();
    this.#pacer?.close();
    this.#done.resolve({
      reason,
      error: error && { code: error.code, message: error.message },
      // What has been played to its end has nothing more to give.
      mayReturn: error !== undefined && !finalCodes.has(error.code),
    });
  }
}
