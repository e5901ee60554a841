// Owns: the picture of one call: what the phone sends becomes a stream of its participant, the room's view goes back.
// May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError, toGatewayError } from './errors.ts';
import type { LegDirection } from './leg-media.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { LegStanding } from './mix-messages.ts';
import type { Participant } from './participant.ts';
import type { Logger, SfuPlainTransport } from './ports.ts';
import type { Room } from './room.ts';
import type { RtpParameters, StreamTimeline } from './rtp.ts';
import type { Publication, Subscription } from './track.ts';
import { viewRequestFor } from './video-fit.ts';
import type {
  VideoLegCommand,
  VideoLegEvent,
  VideoLegParameters,
  VideoLegStats,
  VideoLimits,
  VideoStanding,
} from './video-leg-media.ts';
import type { ViewStream } from './view.ts';
import { pictureCapabilities, pictureStreamOf } from './view-inputs.ts';
import type { EncoderRequest } from './view-messages.ts';
import type { ViewPort } from './view-port.ts';

/** Where a view ended, or its media was lost, it is asked for again after this. */
const retryMs = 1_000;

/** What of its leg a picture goes by. */
export interface PicturedLeg {
  readonly id: number;
  readonly ssrc: number;
  readonly localAddress: string;
  readonly participant: Participant | undefined;
  readonly standing: LegStanding;
  /** Undefined while no worker has the mix. */
  readonly transport: SfuPlainTransport | undefined;
  send(command: VideoLegCommand): void;
}

export interface VideoLegOptions {
  readonly localPort: number;
  readonly views: Pick<ViewPort, 'settingsOf' | 'viewOf'>;
  /** Shown to the phone; the room's first if absent, or if the room has none of this name. */
  readonly viewNameIn: (room: Room) => string | undefined;
  readonly log: Logger;
}

export type VideoLegEvents = {
  /** A key frame is wanted of the phone; it was asked by RTCP. */
  keyFrameAsked: [];
  /** What it sends has another SSRC from now on: the worker that sent it is gone. */
  ssrcChanged: [];
  closed: [reason: CloseReason];
};

interface Shown {
  readonly key: string;
  readonly stream: ViewStream;
  readonly subscription: Subscription;
}

export class VideoLeg extends Owned {
  readonly events = new EventEmitter<VideoLegEvents>();
  readonly localPort: number;
  readonly #leg: PicturedLeg;
  readonly #options: VideoLegOptions;
  readonly #opened = Promise.withResolvers<void>();
  #ssrc = newSsrc();
  #isDescribed = false;
  #receiveIndex: number | undefined;
  #parameters: VideoLegParameters | undefined;
  #limits: VideoLimits | undefined;
  #stats: VideoLegStats | undefined;
  #isMuted = false;
  #publication: Publication | undefined;
  #shown: Shown | undefined;
  #lastRequest: EncoderRequest | undefined;
  #isFollowing = false;
  #mustFollow = false;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(leg: PicturedLeg, options: VideoLegOptions) {
    super();
    this.#leg = leg;
    this.#options = options;
    this.localPort = options.localPort;
    this.#opened.promise.catch(() => undefined);
  }

  /** Its ports are bound. @throws GatewayError `conflict` when one is taken; `closed` */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Of what it sends. */
  get ssrc(): number {
    return this.#ssrc;
  }

  /** Where its RTP comes to. */
  get localAddress(): string {
    return this.#leg.localAddress;
  }

  get parameters(): VideoLegParameters | undefined {
    return this.#parameters;
  }

  /** Undefined for the first second. */
  get stats(): VideoLegStats | undefined {
    return this.#stats;
  }

  /** What it is shown, or was last. */
  get request(): EncoderRequest | undefined {
    return this.#shown?.stream.request ?? this.#lastRequest;
  }

  get publication(): Publication | undefined {
    return this.#publication;
  }

  /** By the call's own side; moderators mute its publication. */
  get isMuted(): boolean {
    return this.#isMuted;
  }

  setMuted(isMuted: boolean): void {
    this.#isMuted = isMuted;
    this.review();
  }

  /** Takes effect at once, and may be called again with each offer and answer. */
  negotiate(parameters: VideoLegParameters, limits: VideoLimits): void {
    if (this.isClosed) throw new GatewayError('closed', 'The video of this call is over.');
    if (parameters.srtp?.receiveKey !== this.#parameters?.srtp?.receiveKey) this.#receiveIndex = undefined;
    this.#parameters = parameters;
    this.#limits = limits;
    this.#leg.send({ type: 'negotiateVideo', legId: this.#leg.id, parameters });
    this.review();
  }

  /** The phone says by SIP that it needs a key frame. */
  requestKeyFrame(): void {
    this.#shown?.subscription.consumer.requestKeyFrame().catch(() => {
      // It has just ended; the next one begins with one.
    });
  }

  // ── Called by its leg ────────────────────────────────────────────────────────────────────────────────────────────

  /** Says everything again to a worker that knows nothing of it. */
  describe(): void {
    const { id: legId, ssrc, localAddress: address } = this.#leg;
    // Under the same key no number may come again (RFC 3711 §9.1), and where the last worker was nobody knows.
    const isAgain = this.#isDescribed;
    if (isAgain) this.#ssrc = newSsrc();
    this.#isDescribed = true;
    const cname = `leg-${ssrc.toString(36)}`;
    const open = { legId, address, port: this.localPort, ssrc: this.#ssrc, cname, receiveIndex: this.#receiveIndex };
    this.#leg.send({ type: 'openVideo', ...open });
    if (this.#parameters) this.#leg.send({ type: 'negotiateVideo', legId, parameters: this.#parameters });
    if (isAgain) this.events.emit('ssrcChanged');
    this.review();
  }

  /** Its leg stands otherwise, or the room's media is another. */
  review(): void {
    if (this.isClosed) return;
    this.#tell();
    void this.#follow();
  }

  receive(event: VideoLegEvent): void {
    if (this.isClosed) return;
    switch (event.type) {
      case 'videoOpened':
        this.#opened.resolve();
        return;
      case 'videoRefused':
        this.#opened.reject(new GatewayError('conflict', event.message));
        void this.close('failed');
        return;
      case 'videoKeyFrameWanted':
        this.requestKeyFrame();
        return;
      case 'videoKeyFrameAsked':
        this.events.emit('keyFrameAsked');
        return;
      case 'videoReport':
        this.#stats = event.stats;
        this.#receiveIndex = event.receiveIndex ?? this.#receiveIndex;
        return;
    }
  }

  /** @throws GatewayError as `participant.publish()` does */
  async publish(transport: SfuPlainTransport, rtpParameters: RtpParameters, timeline: StreamTimeline): Promise<void> {
    const { participant } = this.#leg;
    if (!participant || !this.#isTaken) return;
    const past = this.#publication;
    await past?.close('replaced');
    const publication = await participant.publish(transport, {
      ...{ kind: 'video', source: 'camera', rtpParameters, timeline },
      id: past?.participant === participant ? past.id : undefined,
    });
    if (this.#leg.participant !== participant || this.isClosed || !this.#isTaken) {
      await publication.close('requested');
      return;
    }
    this.#publication = publication;
  }

  unpublish(): void {
    void this.#publication?.close('requested');
  }

  get #isTaken(): boolean {
    const { participant, standing } = this.#leg;
    const { isInMix, isHeld, isHeldByPeer } = standing;
    if (!isInMix || isHeld || isHeldByPeer || this.#isMuted) return false;
    return hears(this.#parameters?.direction) && (participant?.permissions.publish.video ?? false);
  }

  get #standing(): VideoStanding {
    const shown = this.#shown && pictureStreamOf(this.#shown.subscription);
    if (shown?.codec === 'vp9') return { isTaken: this.#isTaken };
    const stream = shown && { ssrc: shown.ssrc, payloadType: shown.payloadType, codec: shown.codec as 'vp8' | 'h264' };
    return { isTaken: this.#isTaken, stream };
  }

  #tell(): void {
    if (!this.#isTaken) this.unpublish();
    if (this.#isDescribed) this.#leg.send({ type: 'setVideo', legId: this.#leg.id, standing: this.#standing });
  }

  /** One after the other: what has changed meanwhile is looked at again. */
  async #follow(): Promise<void> {
    this.#mustFollow = true;
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    while (this.#mustFollow) {
      this.#mustFollow = false;
      try {
        await this.#showView();
      } catch (thrown) {
        this.#noteFailure(toGatewayError(thrown));
      }
    }
    this.#isFollowing = false;
  }

  async #showView(): Promise<void> {
    const { participant, transport } = this.#leg;
    const key = this.#wishOf(participant);
    if (key !== undefined && key === this.#shown?.key && !this.#shown.subscription.isClosed) return;
    this.#dropView();
    if (key === undefined || !participant || !transport || !this.#parameters || !this.#limits) return;
    const { room } = participant;
    const view = await this.#options.views.viewOf(room, this.#viewNameIn(participant));
    const stream = await view.open(viewRequestFor(view.settings.video, this.#parameters.send, this.#limits));
    try {
      if (this.isClosed || this.#leg.transport !== transport) throw new GatewayError('closed', 'The call has changed.');
      const rtpCapabilities = pictureCapabilities(room.media.rtpCapabilities);
      const subscription = await participant.subscribe(transport, stream.publication, { rtpCapabilities });
      // Last-N is for those who are shown many.
      subscription.setPinned(true);
      this.#shown = { key, stream, subscription };
      this.#lastRequest = stream.request;
      subscription.events.on('closed', () => {
        if (this.#shown?.subscription === subscription) this.#retry();
      });
    } catch (error) {
      stream.close();
      throw error;
    }
    this.#tell();
    await this.#shown?.subscription.resume();
  }

  /** @returns what it is to be shown, in one word; undefined for nothing */
  #wishOf(participant: Participant | undefined): string | undefined {
    const { standing } = this.#leg;
    const parameters = this.#parameters;
    if (this.isClosed || !participant || !parameters || !this.#limits || !standing.isInMix || standing.isHeld)
      return undefined;
    if (!shows(parameters.direction) || !participant.permissions.subscribe.video) return undefined;
    return JSON.stringify([participant.id, parameters.send.codec, parameters.send.packetizationMode, this.#limits]);
  }

  /** @throws GatewayError `unprocessable` */
  #viewNameIn({ room }: Participant): string {
    const { views, viewNameIn } = this.#options;
    const viewName = viewNameIn(room);
    const seen = views.settingsOf(room.record).filter(({ hasVideo }) => hasVideo !== false);
    const found = seen.find(({ name }) => name === viewName) ?? seen[0];
    if (!found) throw new GatewayError('unprocessable', 'This room has no view with a picture.');
    return found.name;
  }

  #noteFailure(error: GatewayError): void {
    if (this.isClosed) return;
    const isFinal = ['invalid_request', 'unprocessable', 'forbidden', 'not_found'].includes(error.code);
    this.#options.log.warn({ err: error, willRetry: !isFinal }, 'phone is shown no view');
    if (!isFinal) this.#retry();
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.review(), retryMs).unref();
  }

  #dropView(): void {
    clearTimeout(this.#retryTimer);
    const shown = this.#shown;
    if (!shown) return;
    this.#shown = undefined;
    void shown.subscription.close('requested');
    shown.stream.close();
    this.#tell();
  }

  protected override onClose(reason: CloseReason): void {
    this.#opened.reject(new GatewayError('closed', 'The video of this call is over.'));
    this.#dropView();
    this.unpublish();
    this.#leg.send({ type: 'closeVideo', legId: this.#leg.id });
    this.events.emit('closed', reason);
  }
}

const newSsrc = () => 1 + Math.floor(Math.random() * 0xfffffffe);
const shows = (direction: LegDirection | undefined) => direction === 'sendrecv' || direction === 'sendonly';
const hears = (direction: LegDirection | undefined) => direction === 'sendrecv' || direction === 'recvonly';
