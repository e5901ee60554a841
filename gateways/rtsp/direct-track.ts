// Owns: one stream of a room that the SFU itself sends to a player by UDP. May import: core.
import type { Finder } from '#core/egress-source.ts';
import { GatewayError } from '#core/errors.ts';
import type { Participant } from '#core/participant.ts';
import type { PlayerTransportOptions, SfuPlayerTransport } from '#core/player-transport.ts';
import type { MediaKind } from '#core/rtp.ts';
import type { Subscription } from '#core/track.ts';

export interface DirectTrackOptions {
  readonly kind: MediaKind;
  /** Hidden in the room; takes the stream. */
  readonly self: Participant;
  readonly finder: Finder;
  readonly path: PlayerTransportOptions;
  /** As it was described to the player. */
  readonly payloadType: number;
  readonly onEnd: () => void;
}

/** Some players throw away what came while they looked at the streams, the only key picture with it. */
const laterKeyFramesMs = [1_000, 3_000];

export class DirectTrack {
  readonly #kind: MediaKind;
  readonly #transport: SfuPlayerTransport;
  readonly #subscription: Subscription;
  #timers: NodeJS.Timeout[] = [];

  /** @throws GatewayError `media_lost` when the stream is not there, `overloaded`, `no_common_codec` */
  static async create({ kind, self, finder, path, payloadType, onEnd }: DirectTrackOptions): Promise<DirectTrack> {
    if (!finder.current) await finder.open();
    const publication = finder.current;
    if (!publication) throw new GatewayError('media_lost', `There is no ${kind} any more.`);
    const { media } = self.room;
    const transport = await media.createPlayerTransport(path);
    try {
      const codecs = media.rtpCapabilities.codecs?.filter(({ preferredPayloadType: type }) => type === payloadType);
      const rtpCapabilities = { codecs: codecs ?? [], headerExtensions: [] };
      const subscription = await self.subscribe(transport, publication, { rtpCapabilities });
      subscription.setPinned(true);
      subscription.events.on('closed', onEnd);
      return new DirectTrack(kind, transport, subscription);
    } catch (thrown) {
      transport.close();
      throw thrown;
    }
  }

  private constructor(kind: MediaKind, transport: SfuPlayerTransport, subscription: Subscription) {
    this.#kind = kind;
    this.#transport = transport;
    this.#subscription = subscription;
  }

  /** Of the player's reports. */
  receivedBytes(): Promise<number> {
    return this.#transport.receivedBytes();
  }

  async play(): Promise<void> {
    await this.#subscription.resume();
    if (this.#kind === 'audio') return;
    this.#stopTimers();
    this.#requestKeyFrame();
    this.#timers = laterKeyFramesMs.map((delayMs) => setTimeout(() => this.#requestKeyFrame(), delayMs).unref());
  }

  async pause(): Promise<void> {
    this.#stopTimers();
    await this.#subscription.pause();
  }

  close(): void {
    this.#stopTimers();
    this.#subscription.events.removeAllListeners();
    void this.#subscription.close('requested');
    this.#transport.close();
  }

  #requestKeyFrame(): void {
    this.#subscription.consumer.requestKeyFrame().catch(() => {
      // It has just ended, and its end is told by itself.
    });
  }

  #stopTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
