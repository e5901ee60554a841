// Owns: the way of a call's media through FreeSWITCH: one channel of it faces the phone, one our leg, and they are joined.
import type { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { LegCodec } from '#core/leg-media.ts';
import type { Logger } from '#core/ports.ts';
import { OfferAnswer } from '../offer-answer.ts';
import { BeyondSpeech, mediaOf } from './beyond-speech.ts';
import type { FreeSwitch, FreeSwitchChannel } from './free-switch.ts';

export interface BeyondPathOptions {
  readonly freeSwitch: Pick<FreeSwitch, 'open'>;
  readonly leg: Leg;
  /** Of the leg, where FreeSWITCH reaches it. */
  readonly address: string;
  readonly codecs: readonly LegCodec[];
  /** The phone's, or '' where FreeSWITCH is to make one. */
  readonly offer: string;
  readonly log: Logger;
  /** FreeSWITCH has hung up, or is gone. */
  readonly onLost: (error: GatewayError) => void;
}

export class BeyondPath {
  readonly speech: BeyondSpeech;
  readonly #phoneSide: FreeSwitchChannel;
  readonly #legSide: FreeSwitchChannel;
  readonly #log: Logger;
  /** What FreeSWITCH knows of the phone. */
  #known: string;
  #isJoined = false;

  /** @throws GatewayError `media_lost`, `no_common_codec`, `timeout`, `invalid_sdp` */
  static async open(options: BeyondPathOptions): Promise<BeyondPath> {
    const { freeSwitch, leg, address, codecs, offer, onLost, log } = options;
    const opened: FreeSwitchChannel[] = [];
    let isOpen = false;
    const lost = (error: GatewayError) => isOpen && onLost(error);
    const open = async (sdp: string | undefined) => {
      const channel = await freeSwitch.open(sdp, lost);
      opened.push(channel);
      return channel;
    };
    // A channel of FreeSWITCH is not joined to the other before it has read sound, and comfort noise is none to it: a silent
    // room would never be heard.
    const ours = new OfferAnswer({ address, port: leg.localPort, srtp: 'off', codecs, hasComfortNoise: false });
    try {
      const phoneSide = await open(offer === '' ? undefined : offer);
      const legSide = await open(ours.offer());
      const parameters = ours.accept(legSide.sdp);
      const speech = new BeyondSpeech({ sdp: phoneSide.sdp, offer, leg: parameters });
      const path = new BeyondPath(speech, phoneSide, legSide, log);
      // A channel that is joined before it knows where its phone is asks by an INVITE of its own, and hangs up.
      if (offer !== '') await path.#join();
      isOpen = true;
      return path;
    } catch (error) {
      for (const channel of opened) channel.release();
      throw error;
    }
  }

  private constructor(speech: BeyondSpeech, phoneSide: FreeSwitchChannel, legSide: FreeSwitchChannel, log: Logger) {
    this.speech = speech;
    this.#phoneSide = phoneSide;
    this.#legSide = legSide;
    this.#log = log;
    this.#known = mediaOf(speech.phone);
  }

  /** Before an offer of the phone's is answered. @throws GatewayError `no_common_codec`, `media_lost`, `closed` */
  async expect(offer: string): Promise<void> {
    const sdp = await this.#phoneSide.modify(offer);
    this.#known = mediaOf(offer);
    this.speech.expect(offer, sdp);
  }

  /** The phone has answered; FreeSWITCH is told where that is news to it. @throws GatewayError as `expect()` */
  async follow(): Promise<void> {
    const { phone } = this.speech;
    const media = mediaOf(phone);
    if (media === this.#known) return;
    this.#known = media;
    this.speech.follow(await this.#phoneSide.modify(phone));
    await this.#join();
    this.#log.debug({ codec: this.speech.codec }, 'FreeSWITCH speaks with the phone');
  }

  close(): void {
    this.#phoneSide.release();
    this.#legSide.release();
  }

  async #join(): Promise<void> {
    if (this.#isJoined) return;
    this.#isJoined = true;
    await this.#phoneSide.bridge(this.#legSide);
  }
}
