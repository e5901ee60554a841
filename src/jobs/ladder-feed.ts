// Owns: a feed in several encodings: one feed for each, brought together. May import: core, its neighbours.
import { EventEmitter } from 'node:events';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LiveFeed, LiveFeedEvents } from '#core/live-feed.ts';
import type { Logger } from '#core/ports.ts';
import { LadderAlignment } from './ladder-alignment.ts';

export interface LadderFeedOptions {
  /** The largest first, which alone has the sound. They are closed with the ladder. */
  readonly feeds: readonly (LiveFeed & Owned)[];
  readonly bitratesBps: readonly number[];
  readonly segmentUs: number;
  readonly log: Logger;
}

/** Ends with its first encoding; the others may come and go. */
export class LadderFeed extends Owned implements LiveFeed {
  readonly events = new EventEmitter<LiveFeedEvents>();
  readonly #feeds: readonly LiveFeed[];

  constructor({ feeds, bitratesBps, segmentUs, log }: LadderFeedOptions) {
    super();
    this.#feeds = feeds;
    const alignment = new LadderAlignment({
      ...{ bitratesBps, segmentUs },
      onInit: (init) => this.events.emit('init', init),
      onFragment: (fragment) => this.events.emit('fragment', fragment),
      onLost: (rung) => {
        if (this.isClosed) return;
        log.warn({ rung, state: feeds[rung]?.state }, 'viewers go on without an encoding of a ladder');
      },
    });
    feeds.forEach((feed, rung) => {
      feed.events.on('init', (init) => alignment.init(rung, init));
      feed.events.on('fragment', (fragment) => alignment.add(rung, fragment));
      // Also of one that was over before the last of them was opened.
      void feed.done.then((reason) => (rung === 0 ? void this.close(reason) : alignment.lose(rung)));
    });
  }

  get state(): string {
    return this.#feeds[0]?.state ?? '';
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    await Promise.all(this.#feeds.map((feed) => feed.close(reason)));
    this.events.emit('closed', reason);
    this.events.removeAllListeners();
  }
}
