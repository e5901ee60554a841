// Owns: a stream pulled from an SRT listener, as a MediaSource of core. May import: core, its neighbours.
import { type GatewayError, toGatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { SrtCaller } from './caller.ts';
import { PayloadTranslator } from './translate.ts';
import { parseSrtUrl } from './url.ts';

export interface SrtPullOptions {
  readonly url: string;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly startTimeoutMs?: number | undefined;
  /** So long without anything from the server. */
  readonly stallTimeoutMs?: number | undefined;
}

const defaultTimeoutMs = 10_000;

/** One attempt; another one is another object. */
export class SrtPull implements MediaSource {
  readonly #caller: SrtCaller;
  readonly #done = Promise.withResolvers<SourceEnd>();
  #translator: PayloadTranslator | undefined;
  #isPaused = false;
  #isUnwanted = false;

  /** @throws GatewayError `invalid_request` for the URL */
  constructor(options: SrtPullOptions) {
    this.#caller = new SrtCaller({
      url: parseSrtUrl(options.url),
      policy: options.policy,
      lookup: options.lookup,
      startTimeoutMs: options.startTimeoutMs ?? defaultTimeoutMs,
      idleTimeoutMs: options.stallTimeoutMs ?? defaultTimeoutMs,
      onPayload: (payload) => {
        if (!this.#isPaused) this.#translator?.push(payload);
      },
    });
    void this.#caller.done.then((reason) => this.#settle(reason));
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#translator) return;
    this.#translator = new PayloadTranslator(
      {
        describe: (stream) => !this.#caller.isClosed && sink.describe(stream),
        deliver: (unit) => !this.#caller.isClosed && sink.deliver(unit),
      },
      (error) => this.#caller.fail(error),
    );
    void this.#caller.open().catch((thrown: unknown) => this.#caller.fail(toGatewayError(thrown)));
  }

  /** SRT has no way to ask. */
  requestKeyFrame(): boolean {
    return false;
  }

  /** Nothing slows a sender by UDP down: what comes meanwhile is dropped. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  close(reason: CloseReason = 'requested'): void {
    this.#isUnwanted = true;
    void this.#caller.close(reason);
  }

  #settle(reason: CloseReason): void {
    const error = this.#caller.failure;
    this.#done.resolve({
      reason,
      error: error && { code: error.code, message: error.message },
      mayReturn: !this.#isUnwanted && !(error && isFinal(error)),
    });
  }
}

/** What neither waiting nor asking again will change. */
function isFinal({ code }: GatewayError): boolean {
  return code === 'forbidden' || code === 'upstream_refused' || code === 'unsupported_media_type';
}
