// Owns: the worker's end of a source that lives in the control process.
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink, SourceStream, SourceUnit } from '#core/media-source.ts';

export interface FedSourceChannel {
  open(): void;
  close(): void;
  requestKeyFrame(streamId: number): void;
  setPaused(isPaused: boolean): void;
}

export class FedSource implements MediaSource {
  readonly #channel: FedSourceChannel;
  readonly #done = Promise.withResolvers<SourceEnd>();
  #sink: SourceSink | undefined;
  isReplaying = false;

  constructor(channel: FedSourceChannel) {
    this.#channel = channel;
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.#channel.open();
  }

  describe(stream: SourceStream): void {
    this.#sink?.describe(stream);
  }

  deliver(unit: SourceUnit, isReplay: boolean): void {
    this.isReplaying = isReplay;
    this.#sink?.deliver(unit);
    this.isReplaying = false;
  }

  end(end: SourceEnd): void {
    this.#sink = undefined;
    this.#done.resolve(end);
  }

  /** The answer of the other side would come too late to wait for: whoever asks gets the last key frame instead. */
  requestKeyFrame(streamId: number): boolean {
    this.#channel.requestKeyFrame(streamId);
    return false;
  }

  pause(): void {
    this.#channel.setPaused(true);
  }

  resume(): void {
    this.#channel.setPaused(false);
  }

  close(reason: CloseReason = 'requested'): void {
    if (!this.#sink) return;
    this.#sink = undefined;
    this.#channel.close();
    this.#done.resolve({ reason, mayReturn: false });
  }
}
