// Owns: which broadcasts there are: begun with the first who watches. May import: core, ./broadcast.
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { LiveFeedPort, LiveTarget } from '#core/live-feed.ts';
import type { Rooms } from '#core/rooms.ts';
import { StartedOnce } from '#core/started-once.ts';
import type { TimelineOptions } from '#wire/segments/timeline.ts';
import { Broadcast } from './broadcast.ts';

export interface BroadcastsOptions {
  readonly rooms: Rooms;
  readonly feeds: LiveFeedPort;
  readonly timeline: TimelineOptions;
  readonly lingerMs: number;
  readonly maxBroadcasts: number;
}

export class Broadcasts extends Owned {
  readonly #options: BroadcastsOptions;
  readonly #running = new StartedOnce<string, Broadcast>();
  readonly #live = new Set<Broadcast>();
  #segmentsOfEnded = 0;

  constructor(options: BroadcastsOptions) {
    super();
    this.#options = options;
  }

  get size(): number {
    return this.#live.size;
  }

  get segmentsMade(): number {
    return [...this.#live].reduce((sum, { segmentsMade }) => sum + segmentsMade, this.#segmentsOfEnded);
  }

  get bytes(): number {
    const sizes = [...this.#live].flatMap(({ timeline }) => timeline.renditions.map(({ bytes }) => bytes));
    return sizes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Running, begun if need be.
   * @throws GatewayError `not_found`, `overloaded`, `draining`, `media_lost`
   */
  async of(roomId: string, target: LiveTarget): Promise<Broadcast> {
    const key = `${roomId}/${target.kind}/${target.kind === 'view' ? target.view : target.name}`;
    const broadcast = await this.#running.of(key, async () => {
      if (this.isClosed) throw new GatewayError('draining', 'This server is shutting down.', { retryAfterMs: 5_000 });
      if (this.#running.size >= this.#options.maxBroadcasts) {
        const message = `This server sends ${this.#options.maxBroadcasts} broadcasts already (hls.maxBroadcasts).`;
        throw new GatewayError('overloaded', message, { retryAfterMs: 10_000 });
      }
      return this.#start(roomId, target);
    });
    broadcast.touch();
    return broadcast;
  }

  async #start(roomId: string, target: LiveTarget): Promise<Broadcast> {
    const { rooms, feeds, timeline, lingerMs } = this.#options;
    const room = await rooms.open(roomId);
    const broadcast = new Broadcast({ feed: await feeds.open(room, target), timeline, lingerMs });
    this.#live.add(this.own(broadcast));
    void broadcast.done.then(() => {
      this.#live.delete(broadcast);
      this.#segmentsOfEnded += broadcast.segmentsMade;
    });
    return broadcast;
  }

  protected override onClose(): void {
    // The broadcasts were children and have gone.
  }
}
