// Owns: one target of one room on its way to its viewers: the feed, what is kept of it, who waits. May import: core.
import { EventEmitter } from 'node:events';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { listen } from '#core/listen.ts';
import type { LiveFeed } from '#core/live-feed.ts';
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import { Timeline, type TimelineOptions } from '#wire/segments/timeline.ts';

export interface BroadcastOptions {
  readonly feed: LiveFeed;
  readonly timeline: TimelineOptions;
  /** It goes so long after the last who watched. */
  readonly lingerMs: number;
}

export type BroadcastEvents = {
  init: [init: LiveInit];
  fragment: [fragment: LiveFragment];
  /** There is another part or segment. */
  grown: [];
};

/** Of a group of pictures that is kept for who comes next; a longer one is not. */
const maxGroupBytes = 16 * 1024 * 1024;
const reviewIntervalMs = 1_000;

export class Broadcast extends Owned {
  readonly events = new EventEmitter<BroadcastEvents>();
  readonly timeline: Timeline;
  readonly #options: BroadcastOptions;
  readonly #review: NodeJS.Timeout;
  /** From the last key picture on. */
  #group: LiveFragment[] = [];
  #groupBytes = 0;
  #usedAtMs = performance.now();
  #users = 0;
  segmentsMade = 0;

  constructor(options: BroadcastOptions) {
    super();
    this.#options = options;
    this.events.setMaxListeners(0);
    this.timeline = new Timeline(options.timeline);
    const { feed } = options;
    const unlisten = listen(feed.events, {
      init: (init) => this.#begin(init),
      fragment: (fragment) => this.#add(fragment),
      closed: (reason) => void this.close(reason),
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
    this.#review = setInterval(() => this.#closeUnused(), reviewIntervalMs).unref();
  }

  /** Why there is nothing to see, for people. */
  get state(): string {
    return this.#options.feed.state;
  }

  /** Fragments with which a player can begin. */
  get group(): readonly LiveFragment[] {
    return this.#group;
  }

  /** Somebody has asked for something: it stays for a while. */
  touch(): void {
    this.#usedAtMs = performance.now();
  }

  /** Somebody watches until they say they do not. @returns ends it; may be called twice */
  use(): () => void {
    this.#users += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#users -= 1;
      this.touch();
    };
  }

  /** @returns whether it came to be within the time; false too when the broadcast or the request ended */
  async until(isSo: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (isSo()) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (isSo()) resolve();
    };
    const giveUp = () => resolve();
    const timer = setTimeout(giveUp, timeoutMs);
    const either = AbortSignal.any([signal, this.signal]);
    either.addEventListener('abort', giveUp, { once: true });
    if (either.aborted) giveUp();
    this.events.on('grown', look);
    await promise;
    this.events.off('grown', look);
    either.removeEventListener('abort', giveUp);
    clearTimeout(timer);
    return isSo();
  }

  #begin(init: LiveInit): void {
    this.timeline.begin(init);
    this.#group = [];
    this.#groupBytes = 0;
    this.events.emit('init', init);
    this.events.emit('grown');
  }

  #add(fragment: LiveFragment): void {
    const rendition = this.timeline.renditionOf(fragment);
    const before = rendition?.next;
    this.timeline.add(fragment, Date.now());
    // Who takes fragments takes the first encoding of a ladder.
    if (!fragment.rung) {
      this.#keep(fragment);
      this.events.emit('fragment', fragment);
    }
    const after = rendition?.next;
    if (!before || !after || (before.number === after.number && before.part === after.part)) return;
    if (after.number !== before.number) this.segmentsMade += 1;
    this.events.emit('grown');
  }

  #keep(fragment: LiveFragment): void {
    const hasPictures = this.timeline.tracks.some(({ kind }) => kind === 'video');
    const begins = hasPictures ? fragment.kind === 'video' && fragment.isKey : true;
    if (begins || this.#groupBytes > maxGroupBytes) {
      this.#group = [];
      this.#groupBytes = 0;
    }
    // What follows a key picture that was thrown away is of no use.
    if (this.#group.length === 0 && !begins) return;
    this.#group.push(fragment);
    this.#groupBytes += fragment.data.byteLength;
  }

  #closeUnused(): void {
    if (this.#users > 0 || performance.now() - this.#usedAtMs < this.#options.lingerMs) return;
    void this.close('idle');
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearInterval(this.#review);
    await this.#options.feed.close(reason);
    this.events.removeAllListeners();
  }
}
