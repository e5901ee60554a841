// The one fake of SfuPort (style.md §7): keeps what it is told and says what it is asked to, moves no media.
import { EventEmitter } from 'node:events';
import { GatewayError } from '#core/errors.ts';
import { randomText } from '#core/ids.ts';
import type { SfuPlayerTransport } from '#core/player-transport.ts';
import type {
  ConsumeOptions,
  SfuConsumer,
  SfuConsumerEvents,
  SfuDataConsumer,
  SfuDataProducer,
  SfuPlainTransport,
  SfuPort,
  SfuProducer,
  SfuProducerEvents,
  SfuRoom,
  SfuRoomEvents,
  SfuTransportEvents,
  SfuWebRtcTransport,
  SfuWorkerInfo,
  StreamStats,
  VideoLayers,
} from '#core/ports.ts';
import type { MediaKind, RtpCapabilities, RtpParameters, SctpStreamParameters } from '#core/rtp.ts';

const rtpCapabilities: RtpCapabilities = {
  codecs: [
    { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, preferredPayloadType: 100 },
    { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000, preferredPayloadType: 101 },
  ],
  headerExtensions: [],
};

/** Parameters of a stream that any SFU of ours takes. */
export function someRtpParameters(kind: MediaKind, encodings = 1): RtpParameters {
  const codec =
    kind === 'audio'
      ? { mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 }
      : { mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000 };
  const firstSsrc = Math.ceil(Math.random() * 0x7fff_0000);
  return {
    codecs: [codec],
    encodings: Array.from({ length: encodings }, (_, index) => ({ ssrc: firstSsrc + index })),
    rtcp: { cname: 'test' },
  };
}

export class FakeProducer implements SfuProducer {
  readonly id = randomText(8);
  readonly events = new EventEmitter<SfuProducerEvents>();
  readonly kind: MediaKind;
  readonly rtpParameters: RtpParameters;
  isPaused: boolean;
  isClosed = false;
  constructor(kind: MediaKind, parameters: RtpParameters, isPaused: boolean) {
    this.kind = kind;
    this.rtpParameters = parameters;
    this.isPaused = isPaused;
  }
  get type() {
    return (this.rtpParameters.encodings?.length ?? 1) > 1 ? ('simulcast' as const) : ('simple' as const);
  }
  async pause() {
    this.isPaused = true;
  }
  async resume() {
    this.isPaused = false;
  }
  async getStats(): Promise<readonly StreamStats[]> {
    return [];
  }
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.events.emit('closed');
  }
}

export class FakeConsumer implements SfuConsumer {
  readonly id = randomText(8);
  readonly events = new EventEmitter<SfuConsumerEvents>();
  readonly producer: SfuProducer;
  preferredLayers: VideoLayers | undefined;
  priority = 1;
  keyFrameRequests = 0;
  currentLayers: VideoLayers | null = null;
  isPaused = true;
  isClosed = false;
  constructor(producer: SfuProducer) {
    this.producer = producer;
    producer.events.on('closed', () => this.close());
  }
  get producerId() {
    return this.producer.id;
  }
  get kind() {
    return this.producer.kind;
  }
  get type() {
    return this.producer.type;
  }
  get rtpParameters() {
    return this.producer.rtpParameters;
  }
  async pause() {
    this.isPaused = true;
  }
  async resume() {
    this.isPaused = false;
  }
  async setPreferredLayers(layers: VideoLayers) {
    this.preferredLayers = layers;
    this.currentLayers = layers;
    this.events.emit('layersChanged', layers);
  }
  async setPriority(priority: number) {
    this.priority = priority;
  }
  async requestKeyFrame() {
    this.keyFrameRequests += 1;
  }
  async getStats(): Promise<readonly StreamStats[]> {
    return [];
  }
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.events.emit('closed');
  }
}

class FakeData implements SfuDataProducer, SfuDataConsumer {
  readonly id = randomText(8);
  readonly events = new EventEmitter<{ closed: [] }>();
  readonly label: string;
  readonly protocol: string;
  readonly dataProducerId: string;
  readonly sctpStreamParameters: SctpStreamParameters | undefined;
  isClosed = false;
  constructor(label: string, protocol: string, stream?: SctpStreamParameters, dataProducerId?: string) {
    this.label = label;
    this.protocol = protocol;
    this.sctpStreamParameters = stream;
    this.dataProducerId = dataProducerId ?? this.id;
  }
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.events.emit('closed');
  }
}

class FakeTransport implements SfuWebRtcTransport {
  readonly id = randomText(8);
  readonly iceParameters = { usernameFragment: 'ufrag', password: 'password', iceLite: true };
  readonly iceCandidates = [];
  readonly dtlsParameters = { role: 'auto' as const, fingerprints: [{ algorithm: 'sha-256', value: 'AA:BB' }] };
  readonly sctpParameters = { port: 5_000, OS: 1_024, MIS: 1_024, maxMessageSize: 262_144 };
  readonly consumeCapabilities = rtpCapabilities;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 9;
  readonly events = new EventEmitter<SfuTransportEvents>();
  readonly #room: FakeSfuRoom;
  readonly #owned: { close(): void }[] = [];
  isConnected = false;
  isClosed = false;
  constructor(room: FakeSfuRoom) {
    this.#room = room;
  }
  async connect() {
    if (this.isConnected) throw new GatewayError('conflict', 'This transport is connected already.');
    this.isConnected = true;
  }
  async restartIce() {
    return { ...this.iceParameters, usernameFragment: randomText(4) };
  }
  maxIncomingBps: number | undefined;
  maxOutgoingBps: number | undefined;
  async setMaxIncomingBitrate(bitrateBps: number) {
    this.maxIncomingBps = bitrateBps;
  }
  async setMaxOutgoingBitrate(bitrateBps: number) {
    this.maxOutgoingBps = bitrateBps;
  }
  async produce(options: { kind: MediaKind; rtpParameters: RtpParameters; isPaused?: boolean }) {
    this.#assertOpen();
    if (options.rtpParameters.codecs.some(({ mimeType }) => mimeType.endsWith('/unheard-of'))) {
      throw new GatewayError('no_common_codec', 'The room has no such codec.');
    }
    const producer = new FakeProducer(options.kind, options.rtpParameters, options.isPaused ?? false);
    this.#owned.push(producer);
    this.#room.producers.push(producer);
    return producer;
  }
  async consume({ producer, preferredLayers }: ConsumeOptions) {
    this.#assertOpen();
    const consumer = new FakeConsumer(producer);
    consumer.preferredLayers = preferredLayers;
    this.#owned.push(consumer);
    this.#room.consumers.push(consumer);
    return consumer;
  }
  async produceData(options: { sctpStreamParameters: SctpStreamParameters; label: string; protocol: string }) {
    this.#assertOpen();
    const data = new FakeData(options.label, options.protocol, options.sctpStreamParameters);
    this.#owned.push(data);
    return data;
  }
  async consumeData({ dataProducer }: { dataProducer: SfuDataProducer }) {
    this.#assertOpen();
    const data = new FakeData(dataProducer.label, dataProducer.protocol, { streamId: 1 }, dataProducer.id);
    dataProducer.events.on('closed', () => data.close());
    this.#owned.push(data);
    return data;
  }
  async getStats() {
    return {
      sentBitrateBps: 0,
      receivedBitrateBps: 0,
      byteCountSent: 0,
      byteCountReceived: 0,
      availableOutgoingBps: undefined,
      remoteAddress: undefined,
      protocol: undefined,
    };
  }
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const child of this.#owned) child.close();
    this.events.emit('closed');
  }
  #assertOpen() {
    if (this.isClosed) throw new GatewayError('media_lost', 'The transport has closed.');
  }
}

export class FakeSfuRoom implements SfuRoom {
  readonly rtpCapabilities = rtpCapabilities;
  readonly events = new EventEmitter<SfuRoomEvents>();
  readonly producers: FakeProducer[] = [];
  readonly consumers: FakeConsumer[] = [];
  readonly observed: SfuProducer[] = [];
  readonly #transports: FakeTransport[] = [];
  isClosed = false;
  async createWebRtcTransport() {
    return this.#create();
  }
  async createPlainTransport() {
    return this.#create() as unknown as SfuPlainTransport;
  }
  async createPlayerTransport() {
    return this.#create() as unknown as SfuPlayerTransport;
  }
  async observeAudio(producer: SfuProducer) {
    this.observed.push(producer);
  }
  /** What the death of an SFU worker does to a room. */
  fail() {
    this.close();
    this.events.emit('failed');
  }
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const transport of this.#transports) transport.close();
    this.events.emit('closed');
  }
  #create(): FakeTransport {
    if (this.isClosed) throw new GatewayError('media_lost', 'The room has lost its media.');
    const transport = new FakeTransport(this);
    this.#transports.push(transport);
    return transport;
  }
}

export class FakeSfu implements SfuPort {
  readonly rtpCapabilities = rtpCapabilities;
  readonly rooms: FakeSfuRoom[] = [];
  /** So many of the next createRoom calls fail. */
  failures = 0;
  /** createRoom waits for it. */
  gate: Promise<void> | undefined;
  async createRoom() {
    await this.gate;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new GatewayError('overloaded', 'No media worker is up.');
    }
    const room = new FakeSfuRoom();
    this.rooms.push(room);
    return room;
  }
  async describeWorkers(): Promise<readonly SfuWorkerInfo[]> {
    return [];
  }
  problems() {
    return [];
  }
}
