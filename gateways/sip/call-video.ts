// Owns: the video of one call: whether there may be any, its leg, what is said of it in SDP, key frames by SIP INFO.
import type { SipConfig } from '#config/schema.ts';
import type { CallVideoInfo } from '#core/call.ts';
import { GatewayError } from '#core/errors.ts';
import { permissionsOf } from '#core/grants.ts';
import type { Leg } from '#core/leg.ts';
import type { PictureBridge } from '#core/phone-bridge.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import { usualMedia } from '#core/room-media.ts';
import type { VideoLeg } from '#core/video-leg.ts';
import type { VideoLegCodec } from '#core/video-leg-media.ts';
import type { VideoPhonePort } from '#core/video-phone-port.ts';
import type { ViewPort } from '#core/view-port.ts';
import { phoneRoleIn } from './call-texts.ts';
import type { OfferAnswer } from './offer-answer.ts';
import { parseSdp } from './sdp.ts';
import { canTakeVideo, type VideoPolicy, VideoSpeech, type VideoSpeechOptions } from './video-speech.ts';
import type { WebRtcPath } from './webrtc-path.ts';

/** What makes and shows pictures; calls without have voices alone. */
export interface CallPictures {
  readonly phones: VideoPhonePort;
  readonly views: ViewPort;
}

export interface CallVideoOptions {
  readonly pictures: CallPictures;
  readonly settings: SipConfig['video'];
  readonly srtp: VideoSpeechOptions['srtp'];
  /** That the call is in, or is to come into. */
  readonly room: Room;
  readonly leg: Leg;
  /** Of a phone that speaks ICE and DTLS: its bridge, which is another after an SFU worker has died. */
  readonly path?: Pick<WebRtcPath, 'bridge' | 'isLaid'> | undefined;
  /** Says video beside the voice. */
  readonly speech: Pick<OfferAnswer, 'video'>;
  readonly log: Logger;
}

/** RFC 5168. */
const fastUpdate =
  '<?xml version="1.0" encoding="utf-8"?>\r\n<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>\r\n';
const fastUpdateType = 'application/media_control+xml';
/** By SIP: RTCP asks more often. */
const infoSpacingMs = 2_000;

export class CallVideo {
  readonly #options: CallVideoOptions;
  #leg: VideoLeg | undefined;
  #bridge: PictureBridge | undefined;
  #opening: Promise<void> | undefined;
  #isMuted = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  /** Of the phone, for what it says in SIP. */
  ask: ((method: string, options: { headers: Record<string, string>; body: string }) => Promise<unknown>) | undefined;

  constructor(options: CallVideoOptions) {
    this.#options = options;
  }

  get info(): CallVideoInfo | undefined {
    const leg = this.#leg;
    const parameters = leg?.parameters;
    if (!leg || !parameters) return undefined;
    const { codec, packetizationMode } = parameters.send;
    const { direction, srtp } = parameters;
    const { stats, request: shown } = leg;
    return {
      codec,
      packetizationMode,
      direction,
      isEncrypted: srtp !== undefined || this.#options.path !== undefined,
      isMuted: this.#isMuted,
      shown,
      stats,
    };
  }

  setMuted(isMuted: boolean): void {
    this.#isMuted = isMuted;
    this.#leg?.setMuted(isMuted);
  }

  /** Before an offer is answered: has ports where video may be, none where it is not wanted. Never rejects. */
  async expect(offer: string): Promise<void> {
    const policy = this.#policy();
    const { speech } = this.#options;
    const sdp = parseSdp(offer);
    if (!policy || !sdp.media.some((media) => canTakeVideo(sdp, media, policy))) {
      speech.video = undefined;
      return;
    }
    if (!speech.video) await this.#openOnce(policy);
  }

  /** Before an offer of ours that is to bring video. */
  async invite(): Promise<void> {
    const policy = this.#policy();
    if (policy && !this.#options.speech.video) await this.#openOnce(policy);
  }

  /**
   * Before an offer of ours that is to bring it into a call that is on.
   * @returns takes it back; @throws GatewayError `unprocessable`, `overloaded`
   */
  async add(): Promise<() => void> {
    const { speech } = this.#options;
    const policy = this.#policy();
    if (!policy) throw new GatewayError('unprocessable', 'The room, its roles or sip.video allow no video here.');
    if (speech.video) return () => undefined;
    await this.#openOnce(policy);
    if (!speech.video) throw new GatewayError('overloaded', 'The call could not be given video; the log says why.');
    return () => this.#drop();
  }

  /** Before an offer of ours that is to drop it. @returns takes that back */
  omit(): () => void {
    const { speech } = this.#options;
    const before = speech.video;
    speech.video = undefined;
    return () => {
      if (this.#leg && !this.#leg.isClosed) speech.video = before;
    };
  }

  /** What was agreed holds from now on; the way of a phone that speaks ICE and DTLS follows by `connect()`. */
  follow(): void {
    const { speech, log } = this.#options;
    const agreed = speech.video?.agreed;
    if (!agreed) {
      this.#drop();
      return;
    }
    if (!this.#leg || this.#leg.isClosed) return;
    this.#leg.negotiate(agreed.parameters, agreed.limits);
    log.debug({ video: agreed.parameters.send, direction: agreed.parameters.direction }, 'video agreed');
  }

  /** The way of the picture follows what was agreed, once that of the voice stands. Never rejects. */
  async connect(): Promise<void> {
    const { speech, log } = this.#options;
    const leg = this.#leg;
    const { parameters, bridged } = speech.video?.agreed ?? {};
    if (!leg || leg.isClosed || !this.#bridge || !parameters || !bridged) return;
    const place = { address: leg.localAddress, port: leg.localPort, ssrc: leg.ssrc };
    try {
      await this.#bridge.connect({ ...bridged, feedback: parameters.feedback, leg: place });
    } catch (error) {
      // The voice goes on.
      log.warn({ err: error }, 'picture of a phone has no way');
    }
  }

  /**
   * Once the voice has another bridge: the next offer is of the picture's way through that. Where there can be none, it is of the
   * voice alone. Never rejects.
   */
  async renew(): Promise<void> {
    const { path, speech, log } = this.#options;
    const leg = this.#leg;
    if (!path || !leg || !speech.video) return;
    let way: PictureBridge | undefined;
    try {
      way = await path.bridge.openPicture();
      if (leg !== this.#leg || leg.isClosed) {
        way.close();
        return;
      }
      this.#bridge?.close();
      this.#bridge = way;
      speech.video.moveTo(way);
    } catch (error) {
      // Its worker died as well: another is chosen after this one.
      if (!path.isLaid) return;
      log.warn({ err: error }, 'picture of a phone has no way through another SFU worker; the call goes on without');
      speech.video = undefined;
    }
  }

  #drop(): void {
    const dropped = this.#leg;
    this.#leg = undefined;
    this.#closeWay();
    this.#options.speech.video = undefined;
    void dropped?.close('requested');
  }

  #closeWay(): void {
    this.#bridge?.close();
    this.#bridge = undefined;
  }

  /** INFO of the phone. @returns whether it was for video */
  heed(contentType: string, body: string): boolean {
    if (contentType.toLowerCase().split(';')[0]?.trim() !== fastUpdateType) return false;
    if (/<picture_fast_update\b/i.test(body.slice(0, 4_096))) this.#leg?.requestKeyFrame();
    return true;
  }

  /** A phone may send one UPDATE after the other and wait for no answer: the ports of one picture are enough. */
  async #openOnce(policy: VideoPolicy): Promise<void> {
    this.#opening ??= this.#open(policy);
    await this.#opening;
    this.#opening = undefined;
  }

  async #open(policy: VideoPolicy): Promise<void> {
    const { pictures, leg, path, speech, settings, log } = this.#options;
    try {
      const viewNameIn = ({ record }: Room) => record.sip?.view ?? settings.view;
      const video = await pictures.phones.openVideo(leg, { views: pictures.views, viewNameIn, log });
      video.setMuted(this.#isMuted);
      const way = path && (await this.#openBridge(path, video));
      video.events.on('keyFrameAsked', () => this.#askBySip(video));
      video.events.on('closed', () => {
        if (this.#leg !== video) return;
        this.#closeWay();
        speech.video = undefined;
      });
      this.#closeWay();
      this.#leg = video;
      this.#bridge = way;
      speech.video = new VideoSpeech({ ...policy, port: video.localPort, webRtc: way });
    } catch (error) {
      // A call without a picture is better than none.
      log.warn({ err: error }, 'call has no video');
    }
  }

  async #openBridge(path: Pick<WebRtcPath, 'bridge'>, video: VideoLeg): Promise<PictureBridge> {
    try {
      const way = await path.bridge.openPicture();
      video.events.on('ssrcChanged', () => void this.connect());
      return way;
    } catch (error) {
      await video.close('failed');
      throw error;
    }
  }

  /** Undefined where no video is to be. */
  #policy(): VideoPolicy | undefined {
    const { settings, srtp, path, leg, room: first } = this.#options;
    const room = leg.participant?.room ?? first;
    const { record } = room;
    if (!settings.isEnabled || record.sip?.hasVideo === false) return undefined;
    const { publish, subscribe } = leg.participant?.permissions ?? permissionsOf(record.roles, phoneRoleIn(record));
    const { mediaIn, mediaOut } = { ...usualMedia, ...record };
    const among = (isAllowed: boolean, names: readonly string[]): readonly VideoLegCodec[] =>
      isAllowed ? settings.codecs.filter((codec) => names.includes(codec)) : [];
    const takes = among(publish.video, mediaIn.video);
    const gives = among(subscribe.video, mediaOut.video.format);
    if (takes.length + gives.length === 0) return undefined;
    const { maxBitrateBps, maxHeight } = settings;
    return { srtp, isWebRtc: path !== undefined, takes, gives, maxBitrateBps, maxHeight };
  }

  /** A phone that has said nothing of RTCP feedback. */
  #askBySip(video: VideoLeg): void {
    const feedback = video.parameters?.feedback;
    const nowMs = performance.now();
    if (!this.ask || !feedback || feedback.pli || feedback.fir || nowMs - this.#askedAtMs < infoSpacingMs) return;
    this.#askedAtMs = nowMs;
    this.ask('INFO', { headers: { 'content-type': fastUpdateType }, body: fastUpdate }).catch(() => {
      // The call has ended, or the phone takes no INFO: it was asked by RTCP, too.
    });
  }
}
