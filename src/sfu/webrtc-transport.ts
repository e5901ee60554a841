// Owns: SfuWebRtcTransport: ICE and DTLS with one peer, on the WebRtcServer port of its process.
import { EventEmitter } from 'node:events';
import type { types } from 'mediasoup';
import type {
  SfuDataConsumer,
  SfuDataProducer,
  SfuProducer,
  SfuTransportEvents,
  SfuWebRtcTransport,
  TransportStats,
  WebRtcTransportOptions,
} from '#core/ports.ts';
import type {
  DtlsParameters,
  IceCandidate,
  IceParameters,
  RtpCapabilities,
  SctpParameters,
  SctpStreamParameters,
} from '#core/rtp.ts';
import { DataConsumer, DataProducer } from './data-streams.ts';
import { type LayoutPlan, layoutCapabilities } from './payload-layout.ts';
import type { RoomNode } from './room-node.ts';
import { toTransportStats } from './stats.ts';
import { checkDataText, checkDtlsParameters, checkSctpStreamParameters } from './transport-params.ts';
import { assertSourceOpen, MediaTransport, type RoomMedia } from './transports.ts';
import { integer } from './untrusted.ts';

/** RFC 7675 §5.1 has 30 s as the time after which consent is lost. */
const iceConsentTimeoutS = 30;
/** An estimate is told again when it has moved by so much. */
const notableChange = 0.1;
const maxBps = 1e10;

export class WebRtcTransport extends MediaTransport<types.WebRtcTransport> implements SfuWebRtcTransport {
  readonly events = new EventEmitter<SfuTransportEvents>();
  readonly consumeCapabilities: RtpCapabilities;
  #incomingCap: Promise<void> | undefined;
  #toldBps = 0;

  private constructor(
    native: types.WebRtcTransport,
    room: RoomMedia,
    node: RoomNode,
    consumeCapabilities: RtpCapabilities,
  ) {
    super(native, room, node);
    this.consumeCapabilities = consumeCapabilities;
    native.on('icestatechange', (state) => this.events.emit('iceStateChanged', state));
    native.on('dtlsstatechange', (state) => this.events.emit('dtlsStateChanged', state));
    native.observer.once('close', () => this.events.emit('closed'));
    this.#tellBandwidthOnceHeard();
  }

  static async create(
    room: RoomMedia,
    node: RoomNode,
    { hasData = false, initialOutgoingBps }: WebRtcTransportOptions,
    plan: LayoutPlan | undefined,
  ): Promise<WebRtcTransport> {
    const { config } = room;
    const native = await node.router.createWebRtcTransport({
      webRtcServer: node.process.webRtcServer,
      enableUdp: config.hasUdp,
      enableTcp: config.hasTcp,
      preferUdp: true,
      iceConsentTimeout: iceConsentTimeoutS,
      initialAvailableOutgoingBitrate: initialOutgoingBps ?? config.initialOutgoingBps,
      enableSctp: hasData,
    });
    const capabilities = plan ? layoutCapabilities(plan, node.rtpCapabilities) : node.rtpCapabilities;
    return new WebRtcTransport(native, room, node, capabilities);
  }

  get iceParameters(): IceParameters {
    return this.native.iceParameters;
  }

  get iceCandidates(): readonly IceCandidate[] {
    return this.native.iceCandidates;
  }

  get dtlsParameters(): DtlsParameters {
    return this.native.dtlsParameters;
  }

  get sctpParameters(): SctpParameters | undefined {
    return this.native.sctpParameters;
  }

  connect({ dtlsParameters }: { dtlsParameters: DtlsParameters }): Promise<void> {
    return this.run('this connection', () =>
      this.native.connect({ dtlsParameters: checkDtlsParameters(dtlsParameters) }),
    );
  }

  restartIce(): Promise<IceParameters> {
    return this.run('this connection', () => this.native.restartIce());
  }

  setMaxIncomingBitrate(bitrateBps: number): Promise<void> {
    return this.run('the bitrate', () => {
      this.#incomingCap = this.native.setMaxIncomingBitrate(integer(bitrateBps, 'bitrate', 0, maxBps));
      return this.#incomingCap;
    });
  }

  setMaxOutgoingBitrate(bitrateBps: number): Promise<void> {
    return this.run('the bitrate', () => this.native.setMaxOutgoingBitrate(integer(bitrateBps, 'bitrate', 0, maxBps)));
  }

  override async produce(options: Parameters<SfuWebRtcTransport['produce']>[0]): Promise<SfuProducer> {
    // Only who sends has to be told how much at the most.
    if (!this.#incomingCap) await this.setMaxIncomingBitrate(this.room.config.maxIncomingBps);
    return super.produce(options);
  }

  produceData(options: {
    sctpStreamParameters: SctpStreamParameters;
    label: string;
    protocol: string;
  }): Promise<SfuDataProducer> {
    return this.run('this data channel', async () => {
      const native = await this.native.produceData({
        sctpStreamParameters: checkSctpStreamParameters(options.sctpStreamParameters),
        label: checkDataText(options.label, 'label'),
        protocol: checkDataText(options.protocol, 'protocol'),
      });
      this.room.admitDataProducer(native, this.node);
      return new DataProducer(native);
    });
  }

  consumeData({ dataProducer }: { dataProducer: SfuDataProducer }): Promise<SfuDataConsumer> {
    return this.run('this data channel', async () => {
      const lease = await this.room.leaseDataProducer(dataProducer, this.node);
      try {
        const native = await this.native.consumeData({ dataProducerId: lease.native.id });
        assertSourceOpen(lease.native, native);
        native.observer.once('close', lease.release);
        return new DataConsumer(native, dataProducer.id, lease.native);
      } catch (thrown) {
        lease.release();
        throw thrown;
      }
    });
  }

  async getStats(): Promise<TransportStats> {
    const [stats] = await this.run('this connection', () => this.native.getStats());
    if (!stats) throw this.room.explain(new TypeError('no transport stats'), 'internal', 'this connection');
    return toTransportStats(stats);
  }

  /** The worker sends an estimate several times a second for each transport, so it is asked to only if somebody listens. */
  #tellBandwidthOnceHeard(): void {
    const emitter = this.events as EventEmitter;
    const onListener = (name: string | symbol): void => {
      if (name !== 'bandwidthEstimated') return;
      emitter.off('newListener', onListener);
      this.native.on('trace', (trace) => this.#onTrace(trace));
      // It fails only when the transport has gone, and its bandwidth with it.
      this.native.enableTraceEvent(['bwe']).catch(() => undefined);
    };
    emitter.on('newListener', onListener);
  }

  #onTrace({ type, info }: types.TransportTraceEventData): void {
    if (type !== 'bwe') return;
    const { availableBitrate } = info as { availableBitrate: number };
    if (Math.abs(availableBitrate - this.#toldBps) < this.#toldBps * notableChange) return;
    this.#toldBps = availableBitrate;
    this.events.emit('bandwidthEstimated', availableBitrate);
  }
}
