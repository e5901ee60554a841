// Owns: that there is always one working pair of transports while the room is joined. May import: mediasoup-client.
import { Device } from 'mediasoup-client';
import type { ParticipantInfo, ResultMap } from '#signalling/protocol.ts';
import { backoffMs } from './backoff.ts';
import { ClientError, toClientError } from './errors.ts';
import { MediaSession } from './media-session.ts';
import { asRtpCapabilities } from './mediasoup-shapes.ts';
import type { MediaState } from './room-state.ts';
import type { Requester } from './signalling-socket.ts';

export interface MediaKeeperOptions {
  readonly requester: Requester;
  readonly isOnline: () => boolean;
  readonly iceTransportPolicy?: RTCIceTransportPolicy | undefined;
  readonly onAttached: (media: MediaSession) => void;
  readonly onDetached: () => void;
  readonly onStateChanged: (state: MediaState) => void;
}

type Permissions = ParticipantInfo['permissions'];
type RtpCapabilities = ResultMap['join']['rtpCapabilities'];

const renewBackoff = { firstMs: 500, maxMs: 8_000 };
const maxTries = 8;
/** Pairs that never were connected, before it is said that something is in the way: each was tried for some 20 s. */
const maxBlocked = 2;
/** Transports that were connected for so long were good: the next failure is a new one. */
const goodAfterMs = 30_000;

export class MediaKeeper {
  readonly #options: MediaKeeperOptions;
  #device: Device | undefined;
  #capabilitiesText = '';
  #permissions: Permissions | undefined;
  /** Transports of ours that the server may still have, by id. */
  readonly #abandoned = new Set<string>();
  #media: MediaSession | undefined;
  /** Of the pair there is. */
  #connectedAtMs: number | undefined;
  #hasBeenConnected = false;
  #blocked = 0;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Grows with each pair that is wanted; what was begun for an older one is thrown away. */
  #generation = 0;

  constructor(options: MediaKeeperOptions) {
    this.#options = options;
  }

  get media(): MediaSession | undefined {
    return this.#media;
  }

  /** @throws ClientError `unsupported_browser` */
  async load(rtpCapabilities: RtpCapabilities): Promise<void> {
    const text = JSON.stringify(rtpCapabilities);
    if (this.#device && text === this.#capabilitiesText) return;
    try {
      const device = await Device.factory();
      await device.load({ routerRtpCapabilities: asRtpCapabilities(rtpCapabilities) });
      this.#device = device;
      this.#capabilitiesText = text;
    } catch (cause) {
      throw new ClientError('unsupported_browser', 'This browser cannot take part: it lacks WebRTC.', { cause });
    }
  }

  /** Makes the first pair, or another one now: the server has lost the old one, or knows nothing of it. */
  start(permissions: Permissions): void {
    this.#permissions = permissions;
    this.#tries = 0;
    this.#blocked = 0;
    this.#drop();
    this.#abandoned.clear();
    void this.#make();
  }

  /** A change of role may call for a transport that there is none of. */
  permissionsChanged(permissions: Permissions): void {
    this.#permissions = permissions;
    const media = this.#media;
    if (!media) return;
    if ((sends(permissions) && !media.sendTransport) || (receives(permissions) && !media.recvTransport)) {
      void this.#renew();
    }
  }

  /** Signalling is back and the transports are still there on the other side. */
  review(): void {
    if (this.#media) this.#media.review();
    else if (!this.#timer) void this.#make();
  }

  /** Somebody asks for it, after it was given up. */
  retry(): void {
    this.#tries = 0;
    this.#blocked = 0;
    void this.#renew();
  }

  stop(): void {
    this.#permissions = undefined;
    this.#drop();
    this.#options.onStateChanged('off');
  }

  #drop(): void {
    this.#generation += 1;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const media = this.#media;
    this.#media = undefined;
    if (!media) return;
    this.#abandon(media);
    this.#options.onDetached();
  }

  #abandon(media: MediaSession): void {
    for (const transport of [media.sendTransport, media.recvTransport]) {
      if (transport) this.#abandoned.add(transport.id);
    }
    media.close();
  }

  async #renew(): Promise<void> {
    this.#drop();
    this.#options.onStateChanged('disconnected');
    await this.#make();
  }

  /** The server keeps a transport until it is told, and lets nobody have many. */
  async #closeAbandoned(): Promise<void> {
    const ids = [...this.#abandoned];
    this.#abandoned.clear();
    // What is gone there already is what was wanted.
    await Promise.allSettled(
      ids.map((transportId) => this.#options.requester.request('closeTransport', { transportId })),
    );
  }

  async #make(): Promise<void> {
    const permissions = this.#permissions;
    const device = this.#device;
    // Without signalling there is nobody to ask; `review()` comes when it is back.
    if (!permissions || !device || this.#media || !this.#options.isOnline()) return;
    this.#generation += 1;
    const generation = this.#generation;
    this.#options.onStateChanged('connecting');
    try {
      await this.#closeAbandoned();
      const { requester, isOnline, iceTransportPolicy } = this.#options;
      const media = await MediaSession.create({
        device,
        requester,
        isOnline,
        iceTransportPolicy,
        canSend: sends(permissions),
        canReceive: receives(permissions),
      });
      if (generation === this.#generation) this.#attach(media);
      else {
        this.#abandon(media);
        await this.#closeAbandoned();
      }
    } catch (thrown) {
      if (generation === this.#generation) this.#tryLater(toClientError(thrown));
    }
  }

  #attach(media: MediaSession): void {
    this.#media = media;
    this.#connectedAtMs = undefined;
    media.events.on('stateChanged', (state) => {
      if (state === 'connected' && media === this.#media) this.#noteConnected();
      this.#options.onStateChanged(state);
    });
    media.events.on('failed', (why) => {
      if (media !== this.#media) return;
      if (this.#connectedAtMs === undefined) this.#blocked += 1;
      else if (performance.now() - this.#connectedAtMs > goodAfterMs) this.#tries = 0;
      this.#drop();
      this.#tryLater(new ClientError('media_lost', why));
    });
    this.#options.onStateChanged('off');
    this.#options.onAttached(media);
  }

  #noteConnected(): void {
    this.#connectedAtMs ??= performance.now();
    this.#hasBeenConnected = true;
    this.#blocked = 0;
  }

  #tryLater(error: ClientError): void {
    // The socket went with it: its return starts this again.
    if (error.code === 'disconnected' || !this.#options.isOnline()) return;
    this.#tries += 1;
    const isBlocked = !this.#hasBeenConnected && this.#blocked >= maxBlocked;
    if (this.#tries > maxTries || isBlocked) {
      this.#options.onStateChanged('failed');
      return;
    }
    this.#options.onStateChanged('disconnected');
    const waitMs = this.#tries === 1 ? 0 : backoffMs(this.#tries - 1, Math.random(), renewBackoff);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.#renew();
      },
      Math.max(waitMs, error.retryAfterMs ?? 0),
    );
  }
}

function sends({ publish }: Permissions): boolean {
  return publish.audio || publish.video || publish.data;
}

function receives({ subscribe }: Permissions): boolean {
  return subscribe.audio || subscribe.video || subscribe.data;
}
