// Owns: LiveFeedPort: rooms as fragments for players without WebRTC, by an egress each. May import: core, media's pipe.
import { EventEmitter } from 'node:events';
import { Egress } from '#core/egress.ts';
import type { EgressSource, EgressWishes } from '#core/egress-source.ts';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LiveFeed, LiveFeedEvents, LiveFeedPort, LiveTarget } from '#core/live-feed.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { ViewPort } from '#core/view-port.ts';
import type { LiveMessage } from '#media/live-pipe.ts';
import type { MediaPool } from './pool.ts';

export interface LiveFeedsOptions {
  readonly media: MediaPool;
  readonly views: ViewPort;
  /** Views are encoded with a key picture so often. */
  readonly keyFrameIntervalMs: number;
  /** Of pictures that go out. */
  readonly maxHeight: number;
  readonly log: Logger;
}

export class LiveFeeds extends Owned implements LiveFeedPort {
  readonly #options: LiveFeedsOptions;
  readonly #feeds = new Map<number, Feed>();
  #lastId = 0;

  constructor(options: LiveFeedsOptions) {
    super();
    this.#options = options;
    const receive = (message: LiveMessage) => {
      if (!('unit' in message)) this.#feeds.get(message.feed)?.receive(message);
    };
    options.media.live.on('message', receive);
    this.signal.addEventListener('abort', () => options.media.live.off('message', receive), { once: true });
  }

  async open(room: Room, target: LiveTarget): Promise<LiveFeed> {
    const { media, views, keyFrameIntervalMs, log } = this.#options;
    const { source, video } = sourceOf(room, target);
    const request = {
      codec: 'h264',
      keyFrameIntervalS: keyFrameIntervalMs / 1_000,
      ...this.#sizeOf(room, target),
    } as const;
    const wishes: EgressWishes = { audio: true, video, request };
    const egress = await Egress.start({ room, media, views, source, wishes, name: 'viewers', log });
    const id = ++this.#lastId;
    const feed = new Feed(egress);
    this.#feeds.set(id, feed);
    void feed.done.then(() => this.#feeds.delete(id));
    const needsVideo = target.kind === 'view';
    const sink = egress.addSink({ type: 'live', feed: id, keyFrameIntervalMs, needsVideo });
    // It ends by itself only when what it is given cannot be played.
    void sink.done.then((reason) => feed.close(reason));
    return this.own(feed);
  }

  /** In the shape that the view has; of one participant alone, 16:9. */
  #sizeOf(room: Room, target: LiveTarget): { readonly width?: number; readonly height: number } {
    const { maxHeight, views } = this.#options;
    if (target.kind === 'named') return { width: Math.round((maxHeight * 8) / 9) * 2, height: maxHeight };
    const view = views.settingsOf(room.record).find(({ name }) => name === target.view);
    return { height: Math.min(maxHeight, view?.video.height ?? maxHeight) };
  }

  protected override onClose(): void {
    // The feeds were children and have gone.
  }
}

class Feed extends Owned implements LiveFeed {
  readonly events = new EventEmitter<LiveFeedEvents>();
  readonly #egress: Egress;

  constructor(egress: Egress) {
    super();
    this.#egress = egress;
    void egress.done.then((reason) => this.close(reason));
  }

  get state(): string {
    const sinks = [...this.#egress.sinks.values()];
    return sinks[0]?.info.message ?? this.#egress.job?.info.message ?? '';
  }

  receive(message: Exclude<LiveMessage, { unit: unknown }>): void {
    if (this.isClosed) return;
    if ('init' in message) this.events.emit('init', message.init);
    else this.events.emit('fragment', message.fragment);
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    await this.#egress.close(reason);
    this.events.emit('closed', reason);
    this.events.removeAllListeners();
  }
}

/** In one size whatever is sent: players of MP4 do not follow a browser that changes its size all the time. */
function sourceOf(room: Room, target: LiveTarget): { source: EgressSource; video: EgressWishes['video'] } {
  if (target.kind === 'view') return { source: target, video: 'encoded' };
  const { name } = target;
  const shown = [...room.publications()].filter(({ participant }) => !participant.isHidden);
  const stream = shown.find(({ id }) => id === name);
  if (stream) return { source: { kind: 'stream', stream: name }, video: 'encoded' };
  if (!shown.some(({ participant: { id, user } }) => id === name || user === name)) {
    throw new GatewayError('not_found', `Nobody in this room sends anything as "${name.slice(0, 64)}".`);
  }
  return { source: { kind: 'participant', participant: name }, video: 'encoded' };
}
