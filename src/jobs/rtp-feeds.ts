// Owns: RtpFeedPort: sources of rooms as RTP for players, by an egress each. May import: core, media's pipe.
import { EventEmitter } from 'node:events';
import { Egress } from '#core/egress.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { RtpFeed, RtpFeedEvents, RtpFeedOptions, RtpFeedPort, RtpUnit } from '#core/rtp-feed.ts';
import type { ViewPort } from '#core/view-port.ts';
import type { LiveMessage } from '#media/live-pipe.ts';
import type { MediaPool } from './pool.ts';

export interface RtpFeedsOptions {
  readonly media: MediaPool;
  readonly views: ViewPort;
  readonly log: Logger;
}

export class RtpFeeds extends Owned implements RtpFeedPort {
  readonly #options: RtpFeedsOptions;
  readonly #feeds = new Map<number, Feed>();
  #lastId = 0;

  constructor(options: RtpFeedsOptions) {
    super();
    this.#options = options;
    const receive = (message: LiveMessage) => {
      if ('unit' in message) this.#feeds.get(message.feed)?.receive(message.unit);
    };
    options.media.live.on('message', receive);
    this.signal.addEventListener('abort', () => options.media.live.off('message', receive), { once: true });
  }

  async open(room: Room, { source, wishes, audioCodec, payloadTypes }: RtpFeedOptions): Promise<RtpFeed> {
    const { media, views, log } = this.#options;
    const egress = await Egress.start({ room, media, views, source, wishes, name: 'players', log });
    const id = ++this.#lastId;
    const feed = new Feed(egress);
    this.#feeds.set(id, feed);
    void feed.done.then(() => this.#feeds.delete(id));
    const sink = egress.addSink({ type: 'play', feed: id, audioCodec, payloadTypes });
    // It ends by itself only when what it is given cannot be played.
    void sink.done.then((reason) => feed.close(reason));
    return this.own(feed);
  }

  protected override onClose(): void {
    // The feeds were children and have gone.
  }
}

class Feed extends Owned implements RtpFeed {
  readonly events = new EventEmitter<RtpFeedEvents>();
  readonly #egress: Egress;

  constructor(egress: Egress) {
    super();
    this.events.setMaxListeners(0);
    this.#egress = egress;
    void egress.done.then((reason) => this.close(reason));
  }

  get state(): string {
    const [sink] = this.#egress.sinks.values();
    return sink?.info.message ?? this.#egress.job?.info.message ?? '';
  }

  requestKeyFrame(): void {
    this.#egress.requestKeyFrame();
  }

  receive(unit: RtpUnit): void {
    if (!this.isClosed) this.events.emit('unit', unit);
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    await this.#egress.close(reason);
    this.events.emit('closed', reason);
    this.events.removeAllListeners();
  }
}
