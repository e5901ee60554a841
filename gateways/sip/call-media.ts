// Owns: the media of one call: its leg, the SDP that is spoken for it, and the way of a WebRTC phone's media to it.
import { isIP } from 'node:net';
import { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { LegParameters } from '#core/leg-media.ts';
import type { Logger } from '#core/ports.ts';
import type { SipCallOptions } from './call-options.ts';
import { CallVideo } from './call-video.ts';
import type { SipQuestion } from './dialog.ts';
import { BeyondPath } from './freeswitch/beyond-path.ts';
import { isEncryptedOffer } from './freeswitch/beyond-speech.ts';
import { type Answered, type CallSpeech, OfferAnswer, offeredToWebRtc } from './offer-answer.ts';
import { parseSdp } from './sdp.ts';
import { bridgedFormats, offeredByWebRtc } from './webrtc-lines.ts';
import { WebRtcPath } from './webrtc-path.ts';

export interface CallMediaOptions
  extends Pick<
    SipCallOptions,
    'phones' | 'bridges' | 'freeSwitch' | 'pictures' | 'room' | 'settings' | 'language' | 'hasVideo'
  > {
  /** Where the peer is, or its phones are. */
  readonly remoteAddresses: readonly string[];
  /** The peer's, or '' where we are to make one. */
  readonly offer: string;
  /** Whether we are to offer it ICE and DTLS. */
  readonly isWebRtc: boolean;
  /** The call, which may end meanwhile. */
  readonly call: { readonly isClosed: boolean };
  readonly log: Logger;
  /** The phone or the way to it is gone for good. */
  readonly onLost: (error: GatewayError) => void;
  /** The way to it is gone: `renewPath()` lays another, of which it is to be told. */
  readonly onGone: () => void;
}

/** What lies between the leg and a phone that it does not speak to itself. */
interface Path {
  /** Before an offer of the phone's is answered. */
  expect(offer: string): Promise<void>;
  /** What was agreed. */
  follow(): Promise<void>;
  close(): void;
}

export class CallMedia {
  readonly leg: Leg;
  readonly speech: CallSpeech;
  /** Where there may be any. */
  readonly video: CallVideo | undefined;
  readonly #path: Path | undefined;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed`, `invalid_sdp`, `no_common_codec`, `unprocessable` */
  static async open(options: CallMediaOptions): Promise<CallMedia> {
    return isBeyond(options) ? openBeyond(options) : openNative(options);
  }

  constructor(leg: Leg, speech: CallSpeech, path: Path | undefined, video?: CallVideo) {
    this.leg = leg;
    this.speech = speech;
    this.video = video;
    this.#path = path;
  }

  /** Whose the phone's media is. */
  get server(): 'native' | 'freeswitch' {
    return this.#path instanceof BeyondPath ? 'freeswitch' : 'native';
  }

  /** That the phone speaks; undefined before anything was agreed. */
  get codec(): string | undefined {
    if (this.#path instanceof BeyondPath) return this.#path.speech.codec;
    return this.leg.stats?.codec ?? this.leg.parameters?.send.codec;
  }

  get isEncrypted(): boolean {
    return this.leg.parameters?.srtp !== undefined || this.#path instanceof WebRtcPath;
  }

  get isHeldByPeer(): boolean {
    const { parameters } = this.leg;
    return parameters !== undefined && !/^send/.test(parameters.direction);
  }

  /** Another way is being laid, which the phone has not been told of yet. */
  get isComingBack(): boolean {
    return this.#path instanceof WebRtcPath && this.#path.isComingBack;
  }

  /** Lays another way to the phone; the next offer is of it. @throws GatewayError `closed` */
  async renewPath(): Promise<void> {
    if (!(this.#path instanceof WebRtcPath)) return;
    await this.#path.renew();
    await this.video?.renew();
  }

  /**
   * What was agreed holds from now on.
   * @returns when the way to the phone stands; @throws GatewayError as that way does
   */
  async negotiate(parameters: LegParameters): Promise<void> {
    this.leg.negotiate(parameters);
    this.video?.follow();
    await this.#path?.follow();
    await this.video?.connect();
  }

  /** An offer in the call. @throws GatewayError as `CallSpeech.answer()`, `media_lost` */
  async answerTo({ body }: Pick<SipQuestion, 'body'>): Promise<Answered> {
    // One that is refused leaves ICE and video as they were.
    this.speech.check(body);
    await this.#path?.expect(body);
    await this.video?.expect(body);
    return this.speech.answer(body);
  }

  closePath(): void {
    this.#path?.close();
  }
}

function callVideoOf(
  { pictures, room, settings, log }: CallMediaOptions,
  leg: Leg,
  speech: OfferAnswer,
  path: WebRtcPath | undefined,
): CallVideo | undefined {
  const { video, srtp } = settings;
  return pictures && new CallVideo({ pictures, settings: video, srtp, room, leg, path, speech, log });
}

function assertGoesOn({ isClosed }: CallMediaOptions['call']): void {
  if (isClosed) throw new GatewayError('closed', 'The call has ended.');
}

/** FreeSWITCH is given plain media alone: drachtio-fsmrf has no offer of its own that asks for keys. */
function isBeyond({ settings, isWebRtc, offer }: CallMediaOptions): boolean {
  const { server, srtp } = settings;
  return server === 'freeswitch' && srtp !== 'require' && !isWebRtc && !(offer !== '' && isEncryptedOffer(offer));
}

/** A proxy beside us may have the media of its caller come from anywhere. */
function mediaAddressesIn(offer: string): string[] {
  const described = offer === '' ? [] : parseSdp(offer).media.map(({ address = '' }) => address);
  return [...new Set(described)].filter((address) => isIP(address) !== 0 && address !== '0.0.0.0' && address !== '::');
}

async function openNative(options: CallMediaOptions): Promise<CallMedia> {
  const { phones, room, settings, language, remoteAddresses, offer, isWebRtc, call, log } = options;
  const { codecs } = settings;
  const spoken = offer !== '' ? offeredByWebRtc(offer, codecs) : isWebRtc ? offeredToWebRtc(codecs) : undefined;
  const address = phones.addressFor([...remoteAddresses, ...mediaAddressesIn(offer)]);
  const family = spoken ? 'loopback' : address.includes(':') ? 'IPv6' : 'IPv4';
  const leg = await phones.allocateLeg({ room, family, language, log });
  let path: WebRtcPath | undefined;
  try {
    assertGoesOn(call);
    if (spoken) {
      const { bridges, onLost, onGone } = options;
      path = await WebRtcPath.open({ bridges, formats: bridgedFormats(spoken), leg, log, onLost, onGone });
    }
    assertGoesOn(call);
    const speech = new OfferAnswer({ address, port: leg.localPort, webRtc: path?.bridge, ...settings });
    if (path) path.speech = speech;
    const video = callVideoOf(options, leg, speech, path);
    if (offer !== '') await video?.expect(offer);
    else if (options.hasVideo) await video?.invite();
    assertGoesOn(call);
    return new CallMedia(leg, speech, path, video);
  } catch (error) {
    path?.close();
    await leg.close('requested');
    throw error;
  }
}

/** Its leg speaks to FreeSWITCH, and FreeSWITCH to the phone. */
async function openBeyond({ freeSwitch, ...options }: CallMediaOptions): Promise<CallMedia> {
  const { phones, room, language, offer, call, log, onLost } = options;
  if (!freeSwitch) {
    throw new GatewayError('unprocessable', 'The trunk wants FreeSWITCH for its media, and sip.freeswitch is not set.');
  }
  const address = phones.addressFor([freeSwitch.address]);
  const leg = await phones.allocateLeg({ room, family: address.includes(':') ? 'IPv6' : 'IPv4', language, log });
  let path: BeyondPath | undefined;
  try {
    assertGoesOn(call);
    path = await BeyondPath.open({ freeSwitch, leg, address, codecs: freeSwitch.codecs, offer, log, onLost });
    assertGoesOn(call);
    return new CallMedia(leg, path.speech, path);
  } catch (error) {
    path?.close();
    await leg.close('requested');
    throw error;
  }
}
