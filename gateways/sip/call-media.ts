// Owns: the media of one call: its leg, the SDP that is spoken for it, and the way of a WebRTC phone's media to it.
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
import { bridgedFormats, offeredByWebRtc } from './webrtc-lines.ts';
import { WebRtcPath } from './webrtc-path.ts';

export interface CallMediaOptions
  extends Pick<
    SipCallOptions,
    'phones' | 'bridges' | 'freeSwitch' | 'pictures' | 'room' | 'settings' | 'language' | 'hasVideo'
  > {
  readonly remoteAddress: string;
  /** The peer's, or '' where we are to make one. */
  readonly offer: string;
  /** Whether we are to offer it ICE and DTLS. */
  readonly isWebRtc: boolean;
  /** Of the call: when it aborts, so does this. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The phone or the bridge to it is gone for good. */
  readonly onLost: (error: GatewayError) => void;
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

  /**
   * What was agreed holds from now on.
   * @returns when the way to the phone stands; @throws GatewayError as that way does
   */
  async negotiate(parameters: LegParameters): Promise<void> {
    this.leg.negotiate(parameters);
    this.video?.follow();
    await this.#path?.follow();
  }

  /** An offer in the call. @throws GatewayError as `CallSpeech.answer()`, `media_lost` */
  async answerTo({ body }: Pick<SipQuestion, 'body'>): Promise<Answered> {
    await this.#path?.expect(body);
    await this.video?.expect(body);
    return this.speech.answer(body);
  }

  closePath(): void {
    this.#path?.close();
  }
}

function callVideoOf(options: CallMediaOptions, leg: Leg, speech: OfferAnswer): CallVideo | undefined {
  const { pictures, room, settings, log } = options;
  return pictures && new CallVideo({ pictures, settings: settings.video, srtp: settings.srtp, room, leg, speech, log });
}

function assertGoesOn(signal: AbortSignal): void {
  if (signal.aborted) throw new GatewayError('closed', 'The call has ended.');
}

/** FreeSWITCH is given plain media alone: drachtio-fsmrf has no offer of its own that asks for keys. */
function isBeyond({ settings, isWebRtc, offer }: CallMediaOptions): boolean {
  const { server, srtp } = settings;
  return server === 'freeswitch' && srtp !== 'require' && !isWebRtc && !(offer !== '' && isEncryptedOffer(offer));
}

async function openNative(options: CallMediaOptions): Promise<CallMedia> {
  const { phones, room, settings, language, remoteAddress, offer, isWebRtc, signal, log } = options;
  const { codecs } = settings;
  const spoken = offer !== '' ? offeredByWebRtc(offer, codecs) : isWebRtc ? offeredToWebRtc(codecs) : undefined;
  const address = phones.addressFor(remoteAddress);
  const family = spoken ? 'loopback' : address.includes(':') ? 'IPv6' : 'IPv4';
  const leg = await phones.allocateLeg({ room, family, language, log });
  let path: WebRtcPath | undefined;
  try {
    assertGoesOn(signal);
    if (spoken) {
      const { bridges, onLost } = options;
      path = await WebRtcPath.open({ bridges, formats: bridgedFormats(spoken), leg, log, onLost });
    }
    assertGoesOn(signal);
    const speech = new OfferAnswer({ address, port: leg.localPort, webRtc: path?.bridge, ...settings });
    if (path) path.speech = speech;
    const video = path ? undefined : callVideoOf(options, leg, speech);
    if (offer !== '') await video?.expect(offer);
    else if (options.hasVideo) await video?.invite();
    assertGoesOn(signal);
    return new CallMedia(leg, speech, path, video);
  } catch (error) {
    path?.close();
    await leg.close('requested');
    throw error;
  }
}

/** Its leg speaks to FreeSWITCH, and FreeSWITCH to the phone. */
async function openBeyond({ freeSwitch, ...options }: CallMediaOptions): Promise<CallMedia> {
  const { phones, room, language, offer, signal, log, onLost } = options;
  if (!freeSwitch) {
    throw new GatewayError('unprocessable', 'The trunk wants FreeSWITCH for its media, and sip.freeswitch is not set.');
  }
  const address = phones.addressFor(freeSwitch.address);
  const leg = await phones.allocateLeg({ room, family: address.includes(':') ? 'IPv6' : 'IPv4', language, log });
  let path: BeyondPath | undefined;
  try {
    assertGoesOn(signal);
    path = await BeyondPath.open({ freeSwitch, leg, address, codecs: freeSwitch.codecs, offer, log, onLost });
    assertGoesOn(signal);
    return new CallMedia(leg, path.speech, path);
  } catch (error) {
    path?.close();
    await leg.close('requested');
    throw error;
  }
}
