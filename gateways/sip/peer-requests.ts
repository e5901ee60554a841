// Owns: what the phone asks within its call: offers, the answer in its ACK, digits by INFO, messages; and what we say to it.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { LegParameters } from '#core/leg-media.ts';
import type { Logger } from '#core/ports.ts';
import type { CallMedia } from './call-media.ts';
import type { SipDialog, SipQuestion } from './dialog.ts';
import { digitsOf } from './info-digits.ts';
import { parseSdp } from './sdp.ts';
import { refuse } from './status.ts';

/** What of the call the phone's requests come to. */
export interface PeerRequestsOwner {
  readonly isClosed: boolean;
  /** Undefined before there is any. */
  readonly media: CallMedia | undefined;
  speak(parameters: LegParameters): void;
  pressed(digit: string): void;
  /** @throws GatewayError as `sayInRoom()` */
  hear(message: SipQuestion): void;
  /** It asks that somebody else be called: to be answered. */
  referred(question: SipQuestion): void;
  fail(error: GatewayError): void;
}

export class PeerRequests {
  readonly #owner: PeerRequestsOwner;
  readonly #log: Logger;
  /** We made an offer that the next ACK is to answer. */
  #isOfferOpen = false;

  constructor(owner: PeerRequestsOwner, log: Logger) {
    this.#owner = owner;
    this.#log = log;
  }

  /** @param isOfferOpen the ACK is to bring the answer to our offer */
  listen(dialog: SipDialog, isOfferOpen: boolean): void {
    this.#isOfferOpen = isOfferOpen;
    dialog.events.on('acknowledged', (sdp) => this.#acknowledged(sdp));
    dialog.events.on('offered', (question) => void this.offered(question));
    dialog.events.on('refreshed', (sdp, before) => this.#refreshed(sdp, before));
    dialog.events.on('asked', (question) => this.#asked(question));
  }

  #acknowledged(sdp: string): void {
    const { media, isClosed } = this.#owner;
    if (!this.#isOfferOpen || isClosed) return;
    this.#isOfferOpen = false;
    try {
      if (sdp === '') throw new GatewayError('invalid_sdp', 'The other side did not answer our offer.');
      if (media) this.#owner.speak(media.speech.accept(sdp));
    } catch (error) {
      this.#owner.fail(toGatewayError(error));
    }
  }

  /** Only where its media has gone elsewhere: the answer to a refresh is seldom the offer of before, word for word. */
  #refreshed(sdp: string, before: string): void {
    const { media, isClosed } = this.#owner;
    if (!media || isClosed) return;
    try {
      if (placeIn(sdp) !== placeIn(before)) this.#owner.speak(media.speech.accept(sdp));
    } catch (error) {
      this.#log.warn({ err: toGatewayError(error) }, 'answer to a session refresh not understood');
    }
  }

  /** An offer of the peer's, before the answer or in the call. */
  async offered(question: SipQuestion): Promise<void> {
    const { media, isClosed } = this.#owner;
    if (!media || isClosed) {
      question.respond(481);
      return;
    }
    // RFC 3261 §14.2, RFC 3311 §5.2: an offer of ours is under way or about to be, without which its own leads nowhere.
    if (media.isComingBack && (question.body !== '' || question.method === 'INVITE')) {
      question.respond(491);
      return;
    }
    if (question.body === '') {
      this.#isOfferOpen = question.method === 'INVITE';
      question.respond(200, this.#isOfferOpen ? { body: media.speech.offer() } : {});
      return;
    }
    try {
      const { sdp, parameters } = await media.answerTo(question);
      question.respond(200, { body: sdp });
      this.#owner.speak(parameters);
    } catch (error) {
      const refusal = toGatewayError(error);
      this.#log.warn({ err: refusal }, 'offer in a call refused');
      refuse(question, refusal);
    }
  }

  #asked(question: SipQuestion): void {
    const { method } = question;
    if (method === 'INFO') {
      const { contentType, body } = question;
      if (!this.#owner.media?.video?.heed(contentType, body)) {
        for (const digit of digitsOf(question)) this.#owner.pressed(digit);
      }
      question.respond(200);
    } else if (method === 'MESSAGE') {
      this.#chat(question);
    } else if (method === 'REFER') {
      this.#owner.referred(question);
    } else {
      question.respond(200);
    }
  }

  #chat(question: SipQuestion): void {
    try {
      this.#owner.hear(question);
      question.respond(200);
    } catch (error) {
      refuse(question, toGatewayError(error));
    }
  }
}

/** Where its sound is, and which way it goes. */
function placeIn(text: string): string {
  const audio = text === '' ? undefined : parseSdp(text).media.find(({ kind, port }) => kind === 'audio' && port !== 0);
  return audio ? `${audio.address} ${audio.port} ${audio.direction}` : '';
}
