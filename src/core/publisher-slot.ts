// Owns: the place of a publisher in a job, kept while publishers come and go. May import: core only.
import type { CloseReason } from './lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from './media-source.ts';

/**
 * A job pulls: it opens a source for each attempt. Publishers push: they come when they like. Between the two lies this:
 * `open()` gives the job a source that waits for the next publisher, `offer()` brings one.
 */
export class PublisherSlot {
  #publisher: MediaSource | undefined;
  #isTaken = false;
  #waiting: SlotSource | undefined;

  /** For the job: where the publisher is, or will be. */
  open(): MediaSource {
    this.#waiting = new SlotSource();
    this.#join();
    return this.#waiting;
  }

  /** One that was accepted and not started yet; the one before has ended. */
  offer(publisher: MediaSource): void {
    this.#publisher = publisher;
    this.#isTaken = false;
    void publisher.done.then(() => {
      if (this.#publisher === publisher) this.#publisher = undefined;
    });
    this.#join();
  }

  /** Sends away whoever publishes. */
  dismiss(reason: CloseReason): void {
    this.#publisher?.close(reason);
  }

  #join(): void {
    if (!this.#publisher || this.#isTaken || !this.#waiting || this.#waiting.isTaken) return;
    this.#isTaken = true;
    this.#waiting.attach(this.#publisher);
  }
}

/** One attempt of the job: waits for a publisher, then is that publisher, and ends with it. */
class SlotSource implements MediaSource {
  readonly #done = Promise.withResolvers<SourceEnd>();
  #publisher: MediaSource | undefined;
  #sink: SourceSink | undefined;
  #isPaused = false;
  #isOver = false;

  /** It has its publisher, or is not wanted any more. */
  get isTaken(): boolean {
    return this.#publisher !== undefined || this.#isOver;
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  attach(publisher: MediaSource): void {
    this.#publisher = publisher;
    if (this.#isPaused) publisher.pause();
    if (this.#sink) publisher.start(this.#sink);
    // Whether another publisher may come is not this one's to say, and there is nothing to be gentle with: wait again.
    void publisher.done.then(({ reason, error }) => this.#finish({ reason, error, mayReturn: true, retryInMs: 0 }));
  }

  start(sink: SourceSink): void {
    if (this.#sink || this.#isOver) return;
    this.#sink = sink;
    this.#publisher?.start(sink);
  }

  requestKeyFrame(streamId: number): boolean {
    return this.#publisher?.requestKeyFrame(streamId) ?? false;
  }

  pause(): void {
    this.#isPaused = true;
    this.#publisher?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#publisher?.resume();
  }

  /** The publisher itself is sent away by the owner of the slot, who knows why. */
  close(reason: CloseReason = 'requested'): void {
    this.#finish({ reason, mayReturn: false });
  }

  #finish(end: SourceEnd): void {
    this.#isOver = true;
    this.#done.resolve(end);
  }
}
