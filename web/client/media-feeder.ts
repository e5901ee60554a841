// Owns: pieces of MP4 into a video element by Media Source Extensions, near the live edge and bounded. May import: ./live-edge.
import { followEdge } from './live-edge.ts';

export interface MediaFeederEvents {
  playing(): void;
  /** It may not play with sound before the page is clicked, and plays without. */
  muted(): void;
  failed(message: string): void;
}

/** Waiting to be appended; a page that is frozen lets them pile up. */
const maxQueuedBytes = 16_000_000;
/** What has been shown for so long is thrown away. */
const keptBehindS = 10;
const reviewIntervalMs = 200;

type Source = typeof MediaSource;

/** Safari on phones has the managed kind alone. */
function sourceClass(): Source | undefined {
  const { ManagedMediaSource, MediaSource } = globalThis as { ManagedMediaSource?: Source; MediaSource?: Source };
  return ManagedMediaSource ?? MediaSource;
}

export class MediaFeeder {
  readonly #video: HTMLVideoElement;
  readonly #events: MediaFeederEvents;
  readonly #url: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #queue: ArrayBuffer[] = [];
  #queuedBytes = 0;
  #buffer: SourceBuffer | undefined;
  #hasBegun = false;
  #isClosed = false;

  static get isSupported(): boolean {
    return sourceClass() !== undefined;
  }

  constructor(video: HTMLVideoElement, mime: string, events: MediaFeederEvents) {
    this.#video = video;
    this.#events = events;
    const Source = sourceClass();
    const source = Source && new Source();
    this.#url = source ? URL.createObjectURL(source) : '';
    this.#timer = setInterval(() => this.#review(), reviewIntervalMs);
    source?.addEventListener('sourceopen', () => this.#open(source, mime), { once: true });
    video.disableRemotePlayback = true;
    if (source) video.src = this.#url;
    else queueMicrotask(() => this.#fail('This browser cannot play it.'));
  }

  push(piece: ArrayBuffer): void {
    if (this.#isClosed) return;
    this.#queue.push(piece);
    this.#queuedBytes += piece.byteLength;
    if (this.#queuedBytes > maxQueuedBytes) this.#fail('The page was frozen for too long.');
    else this.#append();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    URL.revokeObjectURL(this.#url);
    if (this.#video.src !== this.#url) return;
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #open(source: MediaSource, mime: string): void {
    if (this.#isClosed) return;
    try {
      this.#buffer = source.addSourceBuffer(mime);
    } catch {
      this.#fail(`This browser cannot play ${mime}.`);
      return;
    }
    this.#buffer.addEventListener('updateend', () => this.#append());
    this.#append();
  }

  /** All that waits in one go: each append costs a turn of the browser's machinery. */
  #append(): void {
    const buffer = this.#buffer;
    if (this.#isClosed || !buffer || buffer.updating || this.#queue.length === 0) return;
    const pieces = this.#queue;
    this.#queue = [];
    const whole = new Uint8Array(this.#queuedBytes);
    this.#queuedBytes = 0;
    let at = 0;
    for (const piece of pieces) {
      whole.set(new Uint8Array(piece), at);
      at += piece.byteLength;
    }
    try {
      buffer.appendBuffer(whole);
    } catch (thrown) {
      this.#fail(this.#video.error?.message ?? (thrown instanceof Error ? thrown.message : 'It cannot be played.'));
    }
  }

  /** Keeps near the edge, begins when there is something to begin with, and throws away what is behind. */
  #review(): void {
    const video = this.#video;
    if (video.error) {
      this.#fail(video.error.message || 'The browser could not decode it.');
      return;
    }
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || video.buffered.length === 0) return;
    const last = video.buffered.length - 1;
    const edge = { startS: video.buffered.start(last), endS: video.buffered.end(last), positionS: video.currentTime };
    const { seekToS, rate } = followEdge(edge);
    if (seekToS !== undefined) video.currentTime = seekToS;
    if (video.playbackRate !== rate) video.playbackRate = rate;
    if (video.paused) this.#play();
    if (video.buffered.start(0) < video.currentTime - 2 * keptBehindS) {
      buffer.remove(0, video.currentTime - keptBehindS);
    }
  }

  #play(): void {
    this.#video.play().then(
      () => this.#began(),
      (thrown: unknown) => {
        // Otherwise the element was given something else to do meanwhile.
        if (!(thrown instanceof DOMException) || thrown.name !== 'NotAllowedError' || this.#video.muted) return;
        this.#video.muted = true;
        this.#events.muted();
      },
    );
  }

  #began(): void {
    if (this.#isClosed || this.#hasBegun) return;
    this.#hasBegun = true;
    this.#events.playing();
  }

  #fail(message: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.failed(message);
  }
}
