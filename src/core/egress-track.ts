// Owns: one kind of media on its way from the room to an egress job, whatever comes and goes. May import: core only.

import type { EgressInput, EgressMedia } from './egress-messages.ts';
import type { Finder } from './egress-source.ts';
import { toGatewayError } from './errors.ts';
import type { Participant } from './participant.ts';
import type { Logger } from './ports.ts';
import type { Room } from './room.ts';
import type { CanConsume, Publication, Subscription } from './track.ts';

/** Nothing is there: it is looked for, or opened, again after so long. */
const retryMs = 1_000;

export interface EgressTrackOptions {
  readonly kind: 'audio' | 'video';
  readonly room: Room;
  /** Subscribes. */
  readonly self: Participant;
  readonly finder: Finder;
  /** So late goes what is taken as it comes; what a view shows is so late by itself. */
  readonly delayMs?: number | undefined;
  /** Another input, or none. */
  readonly onChanged: () => void;
  readonly log: Logger;
}

export class EgressTrack {
  readonly #options: EgressTrackOptions;
  #transport: CanConsume | undefined;
  #subscription: Subscription | undefined;
  #taking: Publication | undefined;
  #isOpening = false;
  /** Why not, the last time: it is tried again every second, and said once. */
  #problem = '';
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: EgressTrackOptions) {
    this.#options = options;
  }

  /** What the job is to be told of it. */
  get media(): EgressMedia {
    const isComposed = this.#subscription?.publication.participant.isHidden ?? false;
    const delayMs = isComposed ? undefined : this.#options.delayMs;
    return { input: this.#subscription && inputOf(this.#subscription), delayMs };
  }

  attach(transport: CanConsume): void {
    if (this.#transport !== transport) this.#release();
    this.#transport = transport;
    this.review();
  }

  requestKeyFrame(): void {
    const subscription = this.#subscription;
    if (!subscription?.isFlowing) return;
    subscription.consumer.requestKeyFrame().catch(() => {
      // It has just ended, and is replaced in a moment.
    });
  }

  /** Call whenever something was published or has ended. */
  review(): void {
    if (this.#isClosed || !this.#transport || !this.#options.self || this.#options.room.isClosed) return;
    const wanted = this.#options.finder.current;
    if (this.#subscription && (this.#subscription.isClosed || this.#subscription.publication !== wanted)) {
      this.#release();
      this.#options.onChanged();
    }
    if (!wanted) void this.#open();
    else if (!this.#subscription && this.#taking !== wanted) void this.#take(wanted, this.#transport);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#release();
    this.#options.finder.close();
  }

  async #open(): Promise<void> {
    if (this.#isOpening) return;
    this.#isOpening = true;
    const { finder, log } = this.#options;
    try {
      await finder.open();
      this.#problem = '';
    } catch (error) {
      const problem = toGatewayError(error).code;
      const isNew = problem !== this.#problem && !this.#isClosed;
      this.#problem = problem;
      if (isNew) log.warn({ err: error, kind: this.#options.kind }, 'source of an egress not opened, tried again');
    }
    this.#isOpening = false;
    if (this.#isClosed) return;
    if (finder.current) this.review();
    else this.#later();
  }

  async #take(publication: Publication, transport: CanConsume): Promise<void> {
    const { self, room, kind, log } = this.#options;
    this.#taking = publication;
    try {
      const codecs = room.media.rtpCapabilities.codecs?.filter(
        (codec) => codec.kind === kind && !isRtx(codec.mimeType),
      );
      const rtpCapabilities = { codecs: codecs ?? [], headerExtensions: [] };
      const subscription = await self.subscribe(transport, publication, { rtpCapabilities });
      this.#taking = undefined;
      if (this.#isClosed || this.#transport !== transport || this.#options.finder.current !== publication) {
        await subscription.close('requested');
        this.review();
        return;
      }
      this.#subscription = subscription;
      subscription.setPinned(true);
      subscription.events.on('closed', () => this.review());
      this.#options.onChanged();
      await subscription.resume();
      this.requestKeyFrame();
    } catch (error) {
      this.#taking = undefined;
      if (this.#isClosed) return;
      if (!publication.isClosed) log.warn({ err: error, publication: publication.id }, 'stream not taken out');
      this.#later();
    }
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.review(), retryMs).unref();
  }

  #release(): void {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    void subscription?.close('requested');
  }
}

function isRtx(mimeType: string): boolean {
  return /\/rtx$/i.test(mimeType);
}

function inputOf({ consumer, publication }: Subscription): EgressInput | undefined {
  const { codecs, encodings } = consumer.rtpParameters;
  const [used] = codecs;
  const ssrc = encodings?.[0]?.ssrc;
  if (!used || ssrc === undefined) return undefined;
  const codec = used.mimeType.slice(used.mimeType.indexOf('/') + 1).toLowerCase();
  return {
    ssrc,
    payloadType: used.payloadType,
    codec,
    clockRateHz: used.clockRate,
    channels: used.channels ?? 1,
    timeline: publication.timeline,
  };
}
