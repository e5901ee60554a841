// Owns: one WHEP player: an offer that receives, answered with streams of the room. May import: core and its siblings.
//
// The answer names no SSRC. A player has one m-line of each kind, so its packets are told apart by payload type, and when
// a publisher goes and comes back (OBS restarted) its new stream goes out on the same m-line under a new SSRC, without
// renegotiation, which WHEP does not have. The old SSRC could not be kept: its SRTP sequence has no way back.
import { GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import { listen } from '#core/listen.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger, SfuWebRtcTransport } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { MediaKind, RtpCapabilities } from '#core/rtp.ts';
import type { Publication, Subscription } from '#core/track.ts';
import { type CodecMatch, chooseSent } from './codecs.ts';
import { HttpSession } from './http-session.ts';
import { LayerDriver } from './layer-driver.ts';
import { changedFormat, type FormatChange } from './play-format.ts';
import type { PlaySource } from './play-source.ts';
import type { SdpDescription, SdpSection } from './sdp-parse.ts';
import { type LocalSection, rejectedSection, sendingSection, sentCodec } from './sdp-write.ts';
import type { SessionTimeouts } from './session.ts';
import { isMedia, noCommonCodec, readLayout, receives, refusalOf } from './translate.ts';

export interface WhepTimeouts extends SessionTimeouts {
  /** A player that has had nothing to play for so long is let go; it asks again if it still cares. */
  readonly idleTimeoutMs: number;
  /** Longest wait for a stream that is only pulled when somebody asks. */
  readonly onDemandWaitMs: number;
}

type Slots = ReadonlyMap<MediaKind, SdpSection & { readonly kind: MediaKind }>;

interface Feed {
  readonly publication: Publication;
  readonly subscription: Subscription;
}

export class WhepSession extends HttpSession {
  readonly #source: PlaySource;
  readonly #idleTimeoutMs: number;
  readonly #slots: Slots;
  readonly #feeds = new Map<MediaKind, Feed>();
  /** Streams that this player cannot decode; not tried again. */
  readonly #undecodable = new WeakSet<Publication>();
  #isReviewing = false;
  #isReviewDue = false;
  #idleTimer: NodeJS.Timeout | undefined;

  private constructor(
    participant: Participant,
    transport: SfuWebRtcTransport,
    offer: SdpDescription,
    slots: Slots,
    source: PlaySource,
    timeouts: WhepTimeouts,
    log: Logger,
  ) {
    super(participant, transport, offer, timeouts, log);
    this.#source = source;
    this.#slots = slots;
    this.#idleTimeoutMs = timeouts.idleTimeoutMs;
    const unlisten = listen(participant.room.events, {
      publicationAdded: () => void this.#review(),
      publicationRemoved: () => void this.#review(),
    });
    source.onChanged = () => void this.#review();
    source.onEnded = () => void this.close('parent_closed');
    this.signal.addEventListener('abort', unlisten, { once: true });
  }

  /**
   * @param join called once there is something to play: adds a hidden participant, which is ended when the rest fails
   * @throws GatewayError `not_found` while there is nothing to play, `no_common_codec`, `unprocessable`, `forbidden`
   */
  static async create(
    room: Room,
    join: () => Participant,
    offer: SdpDescription,
    source: PlaySource,
    timeouts: WhepTimeouts,
    parentLog: Logger,
  ): Promise<WhepSession> {
    source.assertPlayable();
    const slots = findSlots(offer);
    const { rtpCapabilities } = room.media;
    const layout = readLayout({ ...offer, sections: [...slots.values()] }, rtpCapabilities, 'leave');
    const participant = join();
    const log = parentLog.child({ room: room.name, participant: participant.id });
    try {
      const transport = await participant.createTransport({ layout });
      const session = new WhepSession(participant, transport, offer, slots, source, timeouts, log);
      await session.#start(offer, rtpCapabilities);
      return session;
    } catch (thrown) {
      await participant.close('failed');
      throw thrown;
    }
  }

  async #start(offer: SdpDescription, room: RtpCapabilities): Promise<void> {
    const { name } = this.participant.room;
    const sections = offer.sections.map((section): LocalSection => {
      if (!isMedia(section) || this.#slots.get(section.kind) !== section) return rejectedSection(section);
      const matches = this.#servedMatches(section, room);
      if (matches.length === 0) return rejectedSection(section);
      const stream = { streamId: name, trackId: section.kind, cname: undefined, ssrc: undefined };
      return sendingSection(section, section.kind, matches.map(sentCodec), stream);
    });
    if (sections.every(({ isRejected }) => isRejected)) {
      const [section] = this.#slots.values();
      throw section ? noCommonCodec(section, room.codecs ?? []) : new GatewayError('unprocessable', 'Nothing to play.');
    }
    await this.#source.prepare(new Set(this.#slots.keys()), this.transport.consumeCapabilities);
    const refusal = await this.#feed();
    if (this.#feeds.size === 0 && refusal) throw refusal;
    await this.answerOffer(sections);
    // For what came and went meanwhile.
    void this.#review();
  }

  /** @throws GatewayError `unprocessable` (it is played as it is), and as `TranscodedStream.change()` */
  override async setFormat(change: FormatChange): Promise<void> {
    const { formats } = this.#source;
    if (!formats) {
      throw new GatewayError(
        'unprocessable',
        'This session plays the stream as it is; name a format when you open it.',
      );
    }
    await formats.set(changedFormat(formats.format, change));
  }

  /** Codecs that the transport really numbers as the player does. */
  #servedMatches(section: SdpSection, room: RtpCapabilities): CodecMatch[] {
    const served = this.transport.consumeCapabilities.codecs ?? [];
    return chooseSent(section, room.codecs ?? []).filter(({ codec, roomCodec }) =>
      served.some(
        ({ preferredPayloadType, mimeType }) =>
          preferredPayloadType === codec.payloadType && mimeType.toLowerCase() === roomCodec.mimeType.toLowerCase(),
      ),
    );
  }

  protected override onConnected(): void {
    this.log.info({}, 'player connected');
    for (const { subscription } of this.#feeds.values()) this.#resume(subscription);
  }

  /** The SFU asks for a key frame when a stream is resumed. */
  #resume(subscription: Subscription): void {
    subscription.resume().catch((cause: unknown) => {
      this.log.debug({ err: cause, subscription: subscription.id }, 'stream ended before it was played');
    });
  }

  /** One at a time: an event while it runs makes it run once more. */
  async #review(): Promise<void> {
    this.#isReviewDue = true;
    if (this.#isReviewing || this.answer === '') return;
    this.#isReviewing = true;
    try {
      while (this.#isReviewDue && !this.isClosed) {
        this.#isReviewDue = false;
        await this.#feed();
      }
    } catch (cause) {
      this.log.error({ err: cause }, 'player not fed');
      void this.close('failed');
    } finally {
      this.#isReviewing = false;
    }
  }

  /** Makes what is played what should be. @returns why a stream could not be taken, if one could not */
  async #feed(): Promise<GatewayError | undefined> {
    const choice = this.#source.choose(this.#undecodable);
    let refusal: GatewayError | undefined;
    for (const kind of this.#slots.keys()) {
      try {
        await this.#play(kind, choice[kind]);
      } catch (thrown) {
        if (!(thrown instanceof GatewayError)) throw thrown;
        this.log.info({ kind, code: thrown.code, detail: thrown.message }, 'stream not played');
        refusal = thrown;
      }
    }
    this.#reviewIdle();
    return refusal;
  }

  async #play(kind: MediaKind, publication: Publication | undefined): Promise<void> {
    const feed = this.#feeds.get(kind);
    if (feed && feed.publication === publication && !feed.subscription.isClosed) return;
    this.#feeds.delete(kind);
    await feed?.subscription.close('replaced');
    if (!publication) return;
    try {
      const subscription = await this.participant.subscribe(this.transport, publication, {
        rtpCapabilities: this.transport.consumeCapabilities,
        mid: this.#slots.get(kind)?.mid,
      });
      this.#feeds.set(kind, { publication, subscription });
      if (kind === 'video') subscription.formats = this.#source.formats;
      // Chosen by name or by us: not for last-N to hold back.
      subscription.setPinned(true);
      new LayerDriver(subscription, Number.POSITIVE_INFINITY, this.log);
      if (this.isConnected) this.#resume(subscription);
      this.log.info({ kind, publication: publication.id, codec: publication.mimeType }, 'playing');
    } catch (thrown) {
      if (thrown instanceof GatewayError && thrown.code === 'no_common_codec') this.#undecodable.add(publication);
      throw thrown;
    }
  }

  #reviewIdle(): void {
    if (this.#feeds.size > 0 || this.isClosed) {
      clearTimeout(this.#idleTimer);
      this.#idleTimer = undefined;
    } else {
      this.#idleTimer ??= setTimeout(() => void this.close('idle'), this.#idleTimeoutMs).unref();
    }
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#source.close();
    await super.onClose(reason);
  }
}

/** The first m-line of each kind that receives. @throws GatewayError `unprocessable` when there is none */
function findSlots(offer: SdpDescription): Slots {
  const slots = new Map<MediaKind, SdpSection & { readonly kind: MediaKind }>();
  let refusal: GatewayError | undefined;
  for (const section of offer.sections) {
    if (section.isRejected || !receives(section)) continue;
    refusal ??= refusalOf(section);
    if (!isMedia(section) || refusalOf(section) || slots.has(section.kind)) continue;
    slots.set(section.kind, section);
  }
  if (slots.size > 0) return slots;
  throw refusal ?? new GatewayError('unprocessable', 'The offer receives nothing: no m-line is recvonly or sendrecv.');
}
