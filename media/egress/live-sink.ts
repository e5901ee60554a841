// Owns: the sink whose media is watched without WebRTC: fragments of MP4 to the control process. May import: core, its
// neighbours, the pipe.
import { EventEmitter } from 'node:events';
import type { LiveFragment } from '#core/live-media.ts';
import type { LiveOutlet } from '../live-pipe.ts';
import { Fragmenter } from './fragmenter.ts';
import type { EgressSink, EgressSinkEvents, EgressStream, EgressUnit } from './sink.ts';

export interface LiveSinkOptions {
  readonly feed: number;
  readonly keyFrameIntervalMs: number;
  readonly needsVideo: boolean;
  readonly outlet: Pick<LiveOutlet, 'init' | 'fragment'>;
}

export class LiveSink implements EgressSink {
  readonly events = new EventEmitter<EgressSinkEvents>();
  readonly #options: LiveSinkOptions;
  readonly #fragmenter: Fragmenter;
  #bytesOut = 0;
  #hasVideo = false;
  #isLive = false;
  /** Something was thrown away: what depends on it would not be decoded. */
  #awaitsKey = false;
  #lastKeyUs = 0;

  constructor(options: LiveSinkOptions) {
    this.#options = options;
    this.#fragmenter = new Fragmenter({
      onInit: (init) => options.outlet.init(options.feed, init),
      onFragment: (fragment) => this.#send(fragment),
      onUnsupported: ({ codec }) => {
        this.events.emit('changed', 'failed', 'unsupported_media', `MP4 players do not take ${codec}.`);
      },
    });
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  describe(streams: readonly EgressStream[]): void {
    this.#hasVideo = streams.some(({ kind }) => kind === 'video');
    if (this.#hasVideo || !this.#options.needsVideo) this.#fragmenter.describe(streams);
  }

  write(unit: EgressUnit): void {
    if (unit.kind === 'video') this.#watchKeyFrames(unit);
    this.#fragmenter.write(unit);
  }

  close(): Promise<void> {
    this.#fragmenter.flush();
    return Promise.resolve();
  }

  #watchKeyFrames({ isKey, ptsUs }: EgressUnit): void {
    const isDue = ptsUs - this.#lastKeyUs >= this.#options.keyFrameIntervalMs * 1_000;
    if (!isKey && !isDue) return;
    this.#lastKeyUs = ptsUs;
    if (!isKey) this.events.emit('keyFrameWanted');
  }

  #send(fragment: LiveFragment): void {
    const mayBegin = fragment.isKey && (fragment.kind === 'video' || !this.#hasVideo);
    if (this.#awaitsKey && !mayBegin) return;
    const isSent = this.#options.outlet.fragment(this.#options.feed, fragment);
    if (!isSent && this.#hasVideo) this.events.emit('keyFrameWanted');
    this.#awaitsKey = !isSent;
    if (!isSent) return;
    this.#bytesOut += fragment.data.byteLength;
    if (this.#isLive) return;
    this.#isLive = true;
    this.events.emit('changed', 'live', 'media_flowing', 'Media flows.');
  }
}
