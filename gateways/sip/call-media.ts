// Owns: the media of one call: its leg, the SDP that is spoken for it, and the way of a WebRTC phone's media to it.
import { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { LegParameters } from '#core/leg-media.ts';
import type { Logger } from '#core/ports.ts';
import type { SipCallOptions } from './call-options.ts';
import type { SipQuestion } from './dialog.ts';
import { OfferAnswer, offeredToWebRtc } from './offer-answer.ts';
import { bridgedFormats, offeredByWebRtc } from './webrtc-lines.ts';
import { WebRtcPath } from './webrtc-path.ts';

export interface CallMediaOptions
  extends Pick<SipCallOptions, 'phones' | 'bridges' | 'room' | 'settings' | 'language'> {
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

export class CallMedia {
  readonly leg: Leg;
  readonly speech: OfferAnswer;
  readonly #path: WebRtcPath | undefined;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed`, `invalid_sdp` */
  static async open(options: CallMediaOptions): Promise<CallMedia> {
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
      return new CallMedia(leg, speech, path);
    } catch (error) {
      path?.close();
      await leg.close('requested');
      throw error;
    }
  }

  private constructor(leg: Leg, speech: OfferAnswer, path: WebRtcPath | undefined) {
    this.leg = leg;
    this.speech = speech;
    this.#path = path;
  }

  get isEncrypted(): boolean {
    return this.leg.parameters?.srtp !== undefined || this.#path !== undefined;
  }

  get isHeldByPeer(): boolean {
    const { parameters } = this.leg;
    return parameters !== undefined && !/^send/.test(parameters.direction);
  }

  /**
   * What was agreed holds from now on.
   * @returns when the way of a WebRTC phone stands
   */
  async negotiate(parameters: LegParameters): Promise<void> {
    this.leg.negotiate(parameters);
    if (this.speech.peer) await this.#path?.follow(this.speech.peer);
  }

  /** An offer in the call. @throws GatewayError as `OfferAnswer.answer()` */
  async answerTo({ body }: Pick<SipQuestion, 'body'>): Promise<ReturnType<OfferAnswer['answer']>> {
    await this.#path?.expect(body);
    return this.speech.answer(body);
  }

  closePath(): void {
    this.#path?.close();
  }
}

function assertGoesOn(signal: AbortSignal): void {
  if (signal.aborted) throw new GatewayError('closed', 'The call has ended.');
}
