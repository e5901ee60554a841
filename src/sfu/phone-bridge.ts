// Owns: a phone's way to its leg through a router of its own: ICE and DTLS-SRTP outside, plain RTP on loopback inside.
//
// A router for each call, since a router's payload types are those of its consumers, and the phone's are its own to choose.
import { EventEmitter } from 'node:events';
import { isIPv4 } from 'node:net';
import type { types } from 'mediasoup';
import type { SfuConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { FarQuality } from '#core/leg-media.ts';
import type {
  BridgedFormat,
  BridgedStream,
  PhoneBridge,
  PhoneBridgeEvents,
  PhoneBridgeOptions,
  PictureBridge,
} from '#core/phone-bridge.ts';
import type { DtlsParameters, IceParameters } from '#core/rtp.ts';
import { streamParameters } from './bridged-stream.ts';
import { RouterPictureBridge } from './picture-bridge.ts';
import { checkRtpParameters } from './rtp-params.ts';
import { toSfuError } from './sfu-errors.ts';
import type { SfuProcess, SfuProcessUser } from './sfu-process.ts';
import { toStreamStats } from './stats.ts';
import { checkDtlsParameters } from './transport-params.ts';
import { integer, refuse } from './untrusted.ts';

/** RFC 7675 §5.1: consent that is not renewed for so long is lost. */
const iceConsentTimeoutS = 30;
/** A phone that is put down sends BYE and close_notify at once, on two ways of which either may be the shorter. */
const byeGraceMs = 1_000;

/** What the four streams of a bridge add to the load of their process. */
const streams = 4;

export class RouterPhoneBridge implements PhoneBridge, SfuProcessUser {
  readonly events = new EventEmitter<PhoneBridgeEvents>();
  readonly #process: SfuProcess;
  readonly #router: types.Router;
  readonly #outside: types.WebRtcTransport;
  readonly #inside: types.PlainTransport;
  readonly #formats: readonly BridgedFormat[];
  #toPhone: types.Consumer | undefined;
  #fromPhone: types.Producer | undefined;
  #streamName = '';
  #isConnected = false;
  #isClosed = false;
  #byeTimer: NodeJS.Timeout | undefined;

  static async create(
    process: SfuProcess,
    config: SfuConfig,
    { formats, log }: PhoneBridgeOptions,
  ): Promise<RouterPhoneBridge> {
    let router: types.Router | undefined;
    try {
      router = await process.worker.createRouter({ mediaCodecs: formats.map(routerCodec) });
      const [outside, inside] = await Promise.all([
        router.createWebRtcTransport({
          webRtcServer: process.webRtcServer,
          enableUdp: config.hasUdp,
          enableTcp: config.hasTcp,
          preferUdp: true,
          iceConsentTimeout: iceConsentTimeoutS,
        }),
        router.createPlainTransport({ listenInfo: process.loopback, rtcpMux: true, comedia: false }),
      ]);
      log.debug({ worker: process.index }, 'phone bridge made');
      return new RouterPhoneBridge(process, router, outside, inside, formats);
    } catch (thrown) {
      router?.close();
      throw toSfuError(thrown, 'overloaded', 'a connection for this phone');
    }
  }

  private constructor(
    process: SfuProcess,
    router: types.Router,
    outside: types.WebRtcTransport,
    inside: types.PlainTransport,
    formats: readonly BridgedFormat[],
  ) {
    this.#process = process;
    this.#router = router;
    this.#outside = outside;
    this.#inside = inside;
    this.#formats = formats;
    process.users.add(this);
    process.streamCount += streams;
    router.observer.once('close', () => this.close());
    outside.on('icestatechange', (state) => {
      if (state === 'disconnected') this.events.emit('peerLost', 'ICE has lost the phone.');
    });
    outside.on('dtlsstatechange', (state) => {
      if (state === 'connected') this.events.emit('peerReached');
      if (state === 'failed') this.events.emit('peerLost', 'DTLS with the phone failed.');
      // Its close_notify: the phone has put down the receiver, and its BYE may be lost.
      if (state === 'closed' && !this.#isClosed) {
        const report = () => this.events.emit('peerLost', 'The phone closed its DTLS association.');
        this.#byeTimer ??= setTimeout(report, byeGraceMs);
      }
    });
  }

  get iceParameters(): types.IceParameters {
    return this.#outside.iceParameters;
  }

  get iceCandidates(): types.IceCandidate[] {
    return this.#outside.iceCandidates;
  }

  get dtlsParameters(): types.DtlsParameters {
    return this.#outside.dtlsParameters;
  }

  get localAddress(): string {
    return this.#inside.tuple.localAddress;
  }

  get localPort(): number {
    return this.#inside.tuple.localPort;
  }

  async connectLeg({ address, port, ssrc }: { address: string; port: number; ssrc: number }): Promise<void> {
    if (!isIPv4(address)) refuse('address', 'must be an IPv4 address');
    await this.#run(async () => {
      await this.#inside.connect({ ip: address, port: integer(port, 'port', 1, 65_535) });
      const producer = await this.#inside.produce({
        kind: 'audio',
        rtpParameters: { codecs: this.#codecs, encodings: [{ ssrc }], rtcp: { cname: `leg-${ssrc.toString(36)}` } },
      });
      this.#toPhone = await this.#outside.consume({ producerId: producer.id, rtpCapabilities: this.#capabilities });
    });
  }

  async connectPhone({ dtls, stream }: { dtls: DtlsParameters; stream: BridgedStream }): Promise<void> {
    const dtlsParameters = checkDtlsParameters(dtls);
    const name = JSON.stringify(stream);
    await this.#run(async () => {
      if (!this.#isConnected) {
        this.#isConnected = true;
        await this.#outside.connect({ dtlsParameters });
      }
      if (name === this.#streamName) return;
      this.#streamName = name;
      // Its consumer goes with it.
      this.#fromPhone?.close();
      this.#fromPhone = await this.#outside.produce({ kind: 'audio', rtpParameters: this.#phoneParameters(stream) });
      const options = { producerId: this.#fromPhone.id, rtpCapabilities: this.#capabilities };
      await this.#inside.consume(options);
    });
  }

  openPicture(): Promise<PictureBridge> {
    const { loopback } = this.#process;
    const place = {
      router: this.#router,
      outside: this.#outside,
      loopback,
      audioCodecs: this.#formats.map(routerCodec),
    };
    return this.#run(() => RouterPictureBridge.create(place));
  }

  restartIce(): Promise<IceParameters> {
    return this.#run(() => this.#outside.restartIce());
  }

  async getQuality(): Promise<FarQuality | undefined> {
    const consumer = this.#toPhone;
    if (!consumer || consumer.closed) return undefined;
    const all = await this.#run(() => consumer.getStats());
    const own = all.find(({ type }) => type === 'outbound-rtp');
    if (!own) return undefined;
    const { roundTripTimeMs, packetsLost, jitterMs } = toStreamStats(own, consumer.rtpParameters.codecs);
    return { roundTripTimeMs, packetsLost, jitterMs };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#byeTimer);
    this.#process.users.delete(this);
    this.#process.streamCount -= streams;
    this.#router.close();
    this.events.emit('closed');
  }

  onProcessGone(): void {
    this.close();
  }

  get #codecs(): types.RtpCodecParameters[] {
    return this.#formats.map((format) => {
      const { kind: _, preferredPayloadType, ...codec } = routerCodec(format);
      return { ...codec, payloadType: preferredPayloadType };
    });
  }

  /** No header extensions: the worker's have numbers of their own, which were not agreed with the phone. */
  get #capabilities(): types.RtpCapabilities {
    return { ...this.#router.rtpCapabilities, headerExtensions: [] };
  }

  #phoneParameters(stream: BridgedStream): types.RtpParameters {
    return checkRtpParameters('audio', { codecs: this.#codecs, ...streamParameters(stream) });
  }

  async #run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new GatewayError('media_lost', 'The connection of this phone has ended.');
    try {
      return await action();
    } catch (thrown) {
      throw toSfuError(thrown, 'invalid_request', 'the connection of this phone');
    }
  }
}

/**
 * Consumers pass on what the worker counts as media, and telephone-event is none (Consumer.cpp): digits travel under the
 * name of a codec that no phone here speaks. Nothing looks into the packets, and the clock is that of the first codec.
 */
const digitsName = { mimeType: 'audio/iLBC', clockRate: 8_000 };

function routerCodec({ mimeType, payloadType, clockRateHz, channels = 1 }: BridgedFormat): RouterCodec {
  const name = mimeType === 'audio/telephone-event' ? digitsName : { mimeType, clockRate: clockRateHz };
  return { kind: 'audio', ...name, channels, preferredPayloadType: integer(payloadType, 'payloadType', 0, 127) };
}

type RouterCodec = types.RouterRtpCodecCapability & { readonly preferredPayloadType: number };
