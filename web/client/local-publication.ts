// Owns: one stream that this client sends, over as many transports as it takes. May import: mediasoup-client (types).
import type { Producer, RtpCodecCapability } from 'mediasoup-client/types';
import type { PublicationInfo } from '#signalling/protocol.ts';
import { matchesCodec, type VideoCodec, videoEncodings } from './encodings.ts';
import { ClientError, toClientError } from './errors.ts';
import type { MediaSession, ProduceAppData } from './media-session.ts';
import type { LocalPublicationView } from './room-state.ts';
import type { Requester } from './signalling-socket.ts';

export interface PublishOptions {
  readonly source: PublicationInfo['source'];
  /** Shown where a participant has several streams of a kind. */
  readonly label?: string;
  readonly isMuted?: boolean;
  /** Video: VP8 unless said otherwise. @throws ClientError `no_common_codec` where browser or room lack it */
  readonly codec?: VideoCodec;
  /** Video: several qualities for several receivers; true unless said otherwise. */
  readonly hasSimulcast?: boolean;
  /** Video: replaces the top layer's bitrate, bit/s. */
  readonly maxBitrateBps?: number;
  /** Audio: silence costs next to nothing (RFC 6716 §2.1.9). Default: true, false for `screen_audio`. */
  readonly hasDtx?: boolean;
  /** Audio: in-band error correction (RFC 6716 §2.1.7). Default true. */
  readonly hasFec?: boolean;
  /** Audio: default false, true for `screen_audio`. */
  readonly isStereo?: boolean;
  /** Audio: bit/s; the encoder's choice if absent. */
  readonly audioBitrateBps?: number;
}

/** What a publication asks of its owner. */
export interface LocalPublicationHost extends Requester {
  /** The pair of transports to send on, while there is one. */
  readonly media: MediaSession | undefined;
  publicationChanged(publication: LocalPublication): void;
  publicationEnded(publication: LocalPublication): void;
  /** It had been published, and may not be again. */
  publicationRefused(publication: LocalPublication): void;
}

let lastKey = 0;

/**
 * Holds what is wanted (a track, muted or not, watched or not) and brings the transport to it, one step at a time:
 * `#sync()` compares and acts, and runs again after every change, every new transport and every return of the socket.
 */
export class LocalPublication {
  readonly key = `local-${++lastKey}`;
  readonly kind: 'audio' | 'video';
  readonly options: PublishOptions;
  readonly #host: LocalPublicationHost;
  readonly #first = Promise.withResolvers<void>();
  #track: MediaStreamTrack | null;
  #publicationId: string | undefined;
  #producer: Producer | undefined;
  #isMuted: boolean;
  #isMutedByModerator = false;
  #isWatched = true;
  #isEnded = false;
  /** What the server was last told; undefined when that is not known. */
  #toldMuted: boolean | undefined;
  #sendsNow = true;
  #syncing: Promise<void> | undefined;
  #isDirty = false;
  #isAnnouncing = false;

  constructor(host: LocalPublicationHost, track: MediaStreamTrack, options: PublishOptions) {
    this.#host = host;
    this.#track = track;
    this.kind = track.kind === 'audio' ? 'audio' : 'video';
    this.options = options;
    this.#isMuted = options.isMuted ?? false;
    // Whoever published waits on this; after that a refusal is told by `publicationEnded`.
    this.#first.promise.catch(() => undefined);
    this.#applyEnabled();
  }

  /** Settles when the server has taken it for the first time. */
  get published(): Promise<void> {
    return this.#first.promise;
  }
  get track(): MediaStreamTrack | null {
    return this.#track;
  }
  get publicationId(): string | undefined {
    return this.#publicationId;
  }
  get isMuted(): boolean {
    return this.#isMuted || this.#isMutedByModerator;
  }
  get isEnded(): boolean {
    return this.#isEnded;
  }
  /** The server may have it already, under an id that is still on its way here. */
  get isAnnouncing(): boolean {
    return this.#isAnnouncing;
  }
  /** For statistics; absent while it is not on a transport. */
  get producer(): Producer | undefined {
    return this.#producer;
  }

  get view(): LocalPublicationView {
    return {
      key: this.key,
      publicationId: this.#publicationId,
      source: this.options.source,
      kind: this.kind,
      label: this.options.label ?? '',
      track: this.#track,
      isMuted: this.isMuted,
      isMutedByModerator: this.#isMutedByModerator,
      isWatched: this.#isWatched,
      isPublished: this.#producer !== undefined,
    };
  }

  /**
   * Silent at once here, whatever the network does; then the server is told.
   * @param releaseTrack takes the track away too, so that a camera's light can go out; its owner stops it
   */
  async mute(options: { releaseTrack?: boolean } = {}): Promise<void> {
    this.#isMuted = true;
    if (options.releaseTrack) this.#track = null;
    this.#applyEnabled();
    await this.#changed();
  }

  /**
   * @param track a new one, where `mute` has released the old
   * @throws ClientError `forbidden` while a moderator's mute holds
   */
  async unmute(track?: MediaStreamTrack): Promise<void> {
    if (this.#isMutedByModerator) {
      throw new ClientError('forbidden', 'A moderator has muted you. Raise your hand to ask for the word.');
    }
    if (track) this.#track = track;
    this.#isMuted = false;
    this.#applyEnabled();
    await this.#changed();
  }

  /** Another device, same publication: receivers notice nothing but the picture. */
  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    this.#applyEnabled();
    await this.#changed();
  }

  /** The track is left to whoever made it. */
  async unpublish(): Promise<void> {
    if (this.#isEnded) return;
    const id = this.#publicationId;
    this.end();
    if (id === undefined) return;
    await this.#host.request('unpublish', { publicationId: id }).catch((thrown: unknown) => {
      // Gone already is as good; without a socket the reconciliation after `resume` sees to it.
      const { code } = toClientError(thrown);
      if (code !== 'not_found' && code !== 'disconnected' && code !== 'closed') throw thrown;
    });
  }

  // ── Called by the publisher ──────────────────────────────────────────────────────────────────────────────────────

  /** What the room says about it. */
  reflect(info: PublicationInfo): void {
    if (info.isMutedByModerator === this.#isMutedByModerator) return;
    this.#isMutedByModerator = info.isMutedByModerator;
    this.#applyEnabled();
    void this.#changed();
  }

  setWatched(isWatched: boolean): void {
    this.#isWatched = isWatched;
    void this.#changed();
  }

  /** The transport under it is gone, or the server has dropped the stream. */
  detach(): void {
    this.#producer?.close();
    this.#producer = undefined;
    this.#toldMuted = undefined;
    this.#isWatched = true;
    this.#sendsNow = true;
    this.#host.publicationChanged(this);
  }

  /** Joined as somebody new: the old id belongs to the old participant. */
  forgetId(): void {
    this.#publicationId = undefined;
    this.#isMutedByModerator = false;
  }

  /** There is a transport, or a socket, again. */
  sync(): Promise<void> {
    return this.#changed();
  }

  /** @param why for whoever still waits for the first publish */
  end(why = new ClientError('closed', 'The publication was ended.')): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#producer?.close();
    this.#producer = undefined;
    this.#first.reject(why);
    this.#host.publicationEnded(this);
  }

  // ── Bringing the transport to what is wanted ─────────────────────────────────────────────────────────────────────

  #applyEnabled(): void {
    if (this.#track) this.#track.enabled = !this.isMuted;
  }

  #changed(): Promise<void> {
    this.#host.publicationChanged(this);
    this.#isDirty = true;
    this.#syncing ??= this.#run().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #run(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      await this.#sync();
    }
  }

  async #sync(): Promise<void> {
    const { media } = this.#host;
    if (this.#isEnded || !media || media.isClosed) return;
    try {
      if (!this.#producer) await this.#produce(media);
      const producer = this.#producer;
      if (!producer || producer.closed) return;
      if (producer.track !== this.#track) await producer.replaceTrack({ track: this.#track });
      await this.#tellMuted();
      await this.#applySending(producer);
    } catch (thrown) {
      this.#settle(toClientError(thrown), media);
    }
    this.#host.publicationChanged(this);
  }

  async #produce(media: MediaSession): Promise<void> {
    const track = this.#track;
    const { sendTransport } = media;
    if (!sendTransport) throw new ClientError('forbidden', 'Your role may not publish.');
    // Nothing to send while the camera is off: the publication comes back, under its id, with its next track.
    if (!track || track.readyState === 'ended') return;
    const isMuted = this.#isMuted;
    const appData: ProduceAppData = {
      announce: async (transportId, rtpParameters) => {
        const { publicationId, producerId } = await this.#host.request('publish', {
          transportId,
          kind: this.kind,
          source: this.options.source,
          ...(this.options.label && { label: this.options.label }),
          isMuted,
          rtpParameters,
          ...(this.#publicationId !== undefined && { publicationId: this.#publicationId }),
        });
        this.#publicationId = publicationId;
        return { producerId };
      },
    };
    this.#isAnnouncing = true;
    const producer = await sendTransport
      .produce({
        track,
        ...this.#encoding(media, track),
        stopTracks: false,
        disableTrackOnPause: false,
        appData,
      })
      .finally(() => {
        this.#isAnnouncing = false;
      });
    if (this.#isEnded || media.isClosed) {
      producer.close();
      return;
    }
    this.#producer = producer;
    this.#toldMuted = isMuted;
    this.#first.resolve();
  }

  #encoding(media: MediaSession, track: MediaStreamTrack) {
    const { options } = this;
    const isScreenAudio = options.source === 'screen_audio';
    if (this.kind === 'audio') {
      return {
        codecOptions: {
          opusDtx: options.hasDtx ?? !isScreenAudio,
          opusFec: options.hasFec ?? true,
          opusStereo: options.isStereo ?? isScreenAudio,
          opusNack: true,
          ...(options.audioBitrateBps !== undefined && { opusMaxAverageBitrate: options.audioBitrateBps }),
        },
      };
    }
    const codec = chooseCodec(media, options.codec);
    const encodings = videoEncodings({
      source: options.source,
      codec: codec.name,
      heightPx: track.getSettings().height ?? 720,
      hasSimulcast: options.hasSimulcast ?? true,
    });
    const top = encodings.at(-1);
    if (top && options.maxBitrateBps !== undefined) {
      encodings[encodings.length - 1] = { ...top, maxBitrate: options.maxBitrateBps };
    }
    // Starts near what is wanted instead of climbing from 300 kbit/s for half a minute.
    return { encodings, codec: codec.capability, codecOptions: { videoGoogleStartBitrate: 1_000 } };
  }

  async #tellMuted(): Promise<void> {
    const id = this.#publicationId;
    const isMuted = this.#isMuted;
    if (id === undefined || this.#toldMuted === isMuted) return;
    this.#toldMuted = undefined;
    try {
      await this.#host.request('setMuted', { publicationId: id, isMuted });
      this.#toldMuted = isMuted;
    } catch (thrown) {
      // A moderator was quicker: stay silent, its event is on the way.
      if (toClientError(thrown).code !== 'forbidden') throw thrown;
      this.#isMutedByModerator = true;
      this.#toldMuted = isMuted;
      this.#applyEnabled();
    }
  }

  /** Stops the encoder, and with it the packets, while nobody would see them. */
  async #applySending(producer: Producer): Promise<void> {
    const isSending = this.#isWatched && !(this.kind === 'video' && this.isMuted);
    const sender = producer.rtpSender;
    if (isSending === this.#sendsNow || !sender) return;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.active = isSending;
    await sender.setParameters(parameters);
    this.#sendsNow = isSending;
  }

  #settle(error: ClientError, media: MediaSession): void {
    // Lost with its socket or transport: whoever brings those back calls `sync()` again.
    if (this.#isEnded || media.isClosed || error.code === 'disconnected') return;
    if (error.code === 'timeout' || error.code === 'media_lost' || error.code === 'not_found')
      media.fail(error.message);
    else if (error.code === 'conflict' && this.#publicationId !== undefined) {
      this.#publicationId = undefined;
      this.#isDirty = true;
    } else {
      this.end(error);
      if (this.#publicationId !== undefined) this.#host.publicationRefused(this);
    }
  }
}

function chooseCodec(
  media: MediaSession,
  wanted: VideoCodec | undefined,
): { name: VideoCodec; capability: RtpCodecCapability | undefined } {
  const name = wanted ?? 'vp8';
  const codecs = media.device.sendRtpCapabilities.codecs ?? [];
  const matching = codecs.filter((codec) => matchesCodec(codec.mimeType, name));
  // H264: packetization mode 1 and the baseline that every receiver decodes come first (RFC 6184 §8.1).
  const capability =
    matching.find((codec) => name === 'h264' && isConstrainedBaseline(codec.parameters)) ?? matching[0];
  if (capability) return { name, capability };
  if (wanted)
    throw new ClientError('no_common_codec', `This browser and room have no ${wanted.toUpperCase()} in common.`);
  return { name, capability: undefined };
}

function isConstrainedBaseline(parameters: unknown): boolean {
  const { 'profile-level-id': profile, 'packetization-mode': mode } = (parameters ?? {}) as Record<string, unknown>;
  return String(profile).startsWith('42e0') && Number(mode) === 1;
}
