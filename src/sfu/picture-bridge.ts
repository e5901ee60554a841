// Owns: the way of a phone's picture to its leg: through the router and the ICE of its voice, then plain RTP on loopback.

import { isIPv4 } from 'node:net';
import type { types } from 'mediasoup';
import { GatewayError } from '#core/errors.ts';
import type { BridgedFormat, BridgedPicture, PictureBridge } from '#core/phone-bridge.ts';
import { Turns } from '#core/turns.ts';
import { streamParameters } from './bridged-stream.ts';
import { checkRtpParameters } from './rtp-params.ts';
import { toSfuError } from './sfu-errors.ts';
import { integer, refuse } from './untrusted.ts';

export interface PictureBridgePlace {
  readonly router: types.Router;
  /** To the phone. */
  readonly outside: types.WebRtcTransport;
  readonly loopback: types.TransportListenInfo;
  /** The router is told all its codecs at once. */
  readonly audioCodecs: readonly types.RouterRtpCodecCapability[];
}

/** A way of its packets: the producer at one side of the router; the consumer at the other goes with it. */
interface Way {
  readonly name: string;
  readonly producer: types.Producer;
}

export class RouterPictureBridge implements PictureBridge {
  readonly #place: PictureBridgePlace;
  readonly #inside: types.PlainTransport;
  #toPhone: Way | undefined;
  #fromPhone: Way | undefined;
  #isConnected = false;
  readonly #turns = new Turns();

  /** @throws GatewayError `media_lost`, `overloaded` */
  static async create(place: PictureBridgePlace): Promise<RouterPictureBridge> {
    const { router, loopback } = place;
    try {
      const inside = await router.createPlainTransport({ listenInfo: loopback, rtcpMux: true, comedia: false });
      return new RouterPictureBridge(place, inside);
    } catch (thrown) {
      throw toSfuError(thrown, 'overloaded', 'the picture of this phone');
    }
  }

  private constructor(place: PictureBridgePlace, inside: types.PlainTransport) {
    this.#place = place;
    this.#inside = inside;
  }

  get localAddress(): string {
    return this.#inside.tuple.localAddress;
  }

  get localPort(): number {
    return this.#inside.tuple.localPort;
  }

  /** One after the other, or a stream would be there twice. */
  connect(picture: BridgedPicture): Promise<void> {
    return this.#turns.take(() => this.#connect(picture));
  }

  close(): void {
    this.#toPhone?.producer.close();
    this.#fromPhone?.producer.close();
    this.#inside.close();
  }

  async #connect({ format, feedback, leg, stream }: BridgedPicture): Promise<void> {
    if (this.#inside.closed) throw new GatewayError('media_lost', 'The connection of this picture has ended.');
    if (!isIPv4(leg.address)) refuse('address', 'must be an IPv4 address');
    try {
      if (!this.#isConnected) {
        this.#isConnected = true;
        await this.#inside.connect({ ip: leg.address, port: integer(leg.port, 'port', 1, 65_535) });
      }
      const toPhone = JSON.stringify([format, leg.ssrc]);
      const fromPhone = JSON.stringify([format, feedback, stream]);
      const { router, outside, audioCodecs } = this.#place;
      // What flows goes on: a router's codecs hold for those who come.
      if (toPhone !== this.#toPhone?.name || fromPhone !== this.#fromPhone?.name) {
        router.updateMediaCodecs([...audioCodecs, routerCodec(format)]);
      }
      if (toPhone !== this.#toPhone?.name) {
        this.#toPhone?.producer.close();
        const encodings = [{ ssrc: leg.ssrc }];
        const codecs = [codecOf(format, asked)];
        this.#toPhone = await this.#way(toPhone, this.#inside, outside, { codecs, encodings });
      }
      if (fromPhone === this.#fromPhone?.name) return;
      this.#fromPhone?.producer.close();
      this.#fromPhone = undefined;
      if (!stream) return;
      const parameters = { codecs: [codecOf(format, feedbackOf(feedback))], ...streamParameters(stream) };
      this.#fromPhone = await this.#way(fromPhone, outside, this.#inside, checkRtpParameters('video', parameters));
    } catch (thrown) {
      throw toSfuError(thrown, 'invalid_request', 'the picture of this phone');
    }
  }

  async #way(
    name: string,
    from: types.Transport,
    to: types.Transport,
    rtpParameters: types.RtpParameters,
  ): Promise<Way> {
    const producer = await from.produce({ kind: 'video', rtpParameters });
    try {
      await to.consume({ producerId: producer.id, rtpCapabilities: this.#capabilities });
    } catch (error) {
      producer.close();
      throw error;
    }
    return { name, producer };
  }

  /** No retransmission streams and no header extensions: neither was agreed with the phone. */
  get #capabilities(): types.RtpCapabilities {
    const { codecs = [] } = this.#place.router.rtpCapabilities;
    return { codecs: codecs.filter(({ mimeType }) => !/\/rtx$/i.test(mimeType)), headerExtensions: [] };
  }
}

/** The leg is asked for key frames alone: on loopback nothing is lost. */
const asked: types.RtcpFeedback[] = feedbackOf({ pli: true, fir: true, nack: false });

function feedbackOf({ pli, fir, nack }: BridgedPicture['feedback']): types.RtcpFeedback[] {
  return [
    ...(nack ? [{ type: 'nack', parameter: '' }] : []),
    ...(pli ? [{ type: 'nack', parameter: 'pli' }] : []),
    ...(fir ? [{ type: 'ccm', parameter: 'fir' }] : []),
  ];
}

function codecOf(
  { mimeType, payloadType, clockRateHz, parameters = {} }: BridgedFormat,
  rtcpFeedback: types.RtcpFeedback[],
): types.RtpCodecParameters {
  return { mimeType, payloadType, clockRate: clockRateHz, parameters: { ...parameters }, rtcpFeedback };
}

function routerCodec(format: BridgedFormat): types.RouterRtpCodecCapability {
  const { payloadType, mimeType, ...codec } = codecOf(format, feedbackOf({ pli: true, fir: true, nack: true }));
  const preferredPayloadType = integer(payloadType, 'payloadType', 0, 127);
  return { kind: 'video', mimeType, ...codec, preferredPayloadType };
}
