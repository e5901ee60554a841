// Owns: one accepted publisher as a MediaSource of core. May import: core, its neighbours.
import type { GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import { PayloadTranslator } from './translate.ts';

/** Kept from before the room takes it: the beginning has the first key frame. */
const maxWaitingBytes = 4 * 1_024 * 1_024;

export interface PublishedStreamOwner {
  /** The room does not want it any more. */
  dismiss(reason: CloseReason): void;
  fail(error: GatewayError): void;
}

export class PublishedStream implements MediaSource {
  readonly #owner: PublishedStreamOwner;
  readonly #done = Promise.withResolvers<SourceEnd>();
  #translator: PayloadTranslator | undefined;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #isOver = false;

  constructor(owner: PublishedStreamOwner) {
    this.#owner = owner;
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#translator || this.#isOver) return;
    this.#translator = new PayloadTranslator(
      {
        describe: (stream) => !this.#isOver && sink.describe(stream),
        deliver: (unit) => !this.#isOver && sink.deliver(unit),
      },
      (error) => this.#owner.fail(error),
    );
    const waiting = this.#waiting.splice(0);
    for (const payload of waiting) this.#translator.push(payload);
  }

  /** SRT has no way to ask. */
  requestKeyFrame(): boolean {
    return false;
  }

  /** Nothing slows a publisher by UDP down: what comes meanwhile is dropped. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  close(reason: CloseReason = 'requested'): void {
    if (!this.#isOver) this.#owner.dismiss(reason);
  }

  payload(payload: Buffer): void {
    if (this.#isPaused || this.#isOver) return;
    if (this.#translator) this.#translator.push(payload);
    else if (this.#waitingBytes < maxWaitingBytes) {
      this.#waiting.push(payload);
      this.#waitingBytes += payload.length;
    }
  }

  /** Called by the session, once. */
  end(end: SourceEnd): void {
    if (this.#isOver) return;
    this.#translator?.flush();
    this.#isOver = true;
    this.#waiting.length = 0;
    this.#done.resolve(end);
  }
}
