// Owns: LiveFeedPort: rooms as fragments for players without WebRTC, by an egress each. May import: core, media's pipe.
import { EventEmitter } from 'node:events';
import { defaultBitrateBps } from '#core/default-bitrate.ts';
import { Egress, type EgressOptions } from '#core/egress.ts';
import type { EgressSource } from '#core/egress-source.ts';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LiveFeed, LiveFeedEvents, LiveFeedPort, LiveTarget } from '#core/live-feed.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import { assertGivesAudio } from '#core/room-media.ts';
import { whenViewGone } from '#core/room-views.ts';
import type { ViewPort } from '#core/view-port.ts';
import type { ViewRequest, ViewSettings } from '#core/view-settings.ts';
import type { LiveMessage } from '#media/live-pipe.ts';
import { LadderFeed } from './ladder-feed.ts';
import type { MediaPool } from './pool.ts';

export interface LiveFeedsOptions {
  readonly media: MediaPool;
  readonly views: ViewPort;
  /** Views are encoded with a key picture so often. */
  readonly keyFrameIntervalMs: number;
  /** Of pictures that go out. */
  readonly maxHeight: number;
  /** Heights of further encodings, where a view does not say its own; higher ones than the first are left out. */
  readonly ladder: readonly number[];
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
    const view = this.#viewOf(room, target);
    const feed = this.own(await this.#openAs(room, target, view));
    if (view) {
      const isStill = (now: ViewSettings) => now.hasAudio === view.hasAudio && isSeen(now) === isSeen(view);
      void feed.done.then(whenViewGone(room, view.name, isStill, () => void feed.close('peer_left')));
    }
    return feed;
  }

  async #openAs(room: Room, target: LiveTarget, view: ViewSettings | undefined): Promise<Feed | LadderFeed> {
    const { source, hasAudio, hasVideo } = sourceOf(room, target, view);
    // HLS, DASH and fMP4 have their sound in AAC, whoever watches.
    if (hasAudio) assertGivesAudio(room.record, 'aac');
    const canvas = this.#sizeOf(view);
    const ladder = hasVideo ? (view?.video.ladder ?? this.#options.ladder) : [];
    const lower = lowerHeights(ladder, canvas.height);
    const hasLadder = lower.length > 0;
    const needsVideo = hasVideo && (hasLadder || target.kind === 'view');
    const video = hasVideo ? 'encoded' : 'off';
    // One clock for all, whichever worker makes them.
    const originUs = hasLadder ? Number(process.hrtime.bigint() / 1_000n) : undefined;
    const take = (size: ViewRequest, audio: boolean) =>
      this.#take({
        room,
        source,
        needsVideo,
        originUs,
        wishes: { audio, video, canvas, request: this.#requestOf(size) },
      });
    if (!hasLadder) return take(canvas, hasAudio);
    const heights = [canvas.height, ...lower];
    const feeds: Feed[] = [];
    try {
      for (const height of heights)
        feeds.push(await take(height === canvas.height ? canvas : { height }, hasAudio && height === canvas.height));
    } catch (error) {
      await Promise.all(feeds.map((feed) => feed.close('failed')));
      throw error;
    }
    const { keyFrameIntervalMs, log } = this.#options;
    const shape = view ? view.video.width / view.video.height : 16 / 9;
    const bitratesBps = heights.map((height) =>
      defaultBitrateBps(height * shape, height, view?.video.framerateHz ?? 30),
    );
    return new LadderFeed({ feeds, bitratesBps, segmentUs: keyFrameIntervalMs * 1_000, log });
  }

  async #take(options: TakeOptions): Promise<Feed> {
    const { media, views, keyFrameIntervalMs, log } = this.#options;
    const { needsVideo, ...taken } = options;
    const egress = await Egress.start({ ...taken, media, views, name: 'viewers', log });
    const id = ++this.#lastId;
    const feed = new Feed(egress);
    this.#feeds.set(id, feed);
    void feed.done.then(() => this.#feeds.delete(id));
    const sink = egress.addSink({ type: 'live', feed: id, keyFrameIntervalMs, needsVideo });
    // It ends by itself only when what it is given cannot be played.
    void sink.done.then((reason) => feed.close(reason));
    return feed;
  }

  #requestOf(size: ViewRequest): ViewRequest {
    return { codec: 'h264', keyFrameIntervalS: this.#options.keyFrameIntervalMs / 1_000, ...size };
  }

  /** @throws GatewayError `not_found` */
  #viewOf(room: Room, target: LiveTarget): ViewSettings | undefined {
    if (target.kind === 'named') return undefined;
    const found = this.#options.views.settingsOf(room.record).find(({ name }) => name === target.view);
    if (found) return found;
    throw new GatewayError('not_found', `This room has no view "${target.view.slice(0, 64)}".`);
  }

  /** In the shape that the view has; of one participant alone, 16:9. */
  #sizeOf(view: ViewSettings | undefined): { readonly width?: number; readonly height: number } {
    const { maxHeight } = this.#options;
    if (!view) return { width: Math.round((maxHeight * 8) / 9) * 2, height: maxHeight };
    return { height: Math.min(maxHeight, view.video.height) };
  }

  protected override onClose(): void {
    // The feeds were children and have gone.
  }
}

type TakeOptions = Pick<EgressOptions, 'room' | 'source' | 'wishes' | 'originUs'> & { readonly needsVideo: boolean };

const isSeen = ({ hasVideo }: ViewSettings): boolean => hasVideo !== false;

/** @returns the largest first */
function lowerHeights(heights: readonly number[], below: number): number[] {
  return [...new Set(heights)].filter((height) => height < below).sort((one, other) => other - one);
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

interface FeedSource {
  readonly source: EgressSource;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

/** @param view the one that is meant, where it is one. @throws GatewayError `not_found` */
function sourceOf(room: Room, target: LiveTarget, view: ViewSettings | undefined): FeedSource {
  if (target.kind === 'view') {
    const hasVideo = !view || isSeen(view);
    return { source: hasVideo ? target : { kind: 'mix' }, hasAudio: view?.hasAudio ?? true, hasVideo };
  }
  const { name } = target;
  const both = { hasAudio: true, hasVideo: true };
  const shown = [...room.publications()].filter(({ participant }) => !participant.isHidden);
  const stream = shown.find(({ id }) => id === name);
  if (stream) return { source: { kind: 'stream', stream: name }, ...both };
  if (shown.some(({ participant: { id, user } }) => id === name || user === name)) {
    return { source: { kind: 'participant', participant: name }, ...both };
  }
  if (name === 'mix') return { source: { kind: 'mix' }, hasAudio: true, hasVideo: false };
  throw new GatewayError('not_found', `Nobody in this room sends anything as "${name.slice(0, 64)}".`);
}
