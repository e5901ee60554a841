// Owns: the media side of one room: its main router, further ones by layout and load, and what runs between them.
//
// The main router stands where the room was made. A transport whose receiver numbers codecs in its own way stands on a
// compat router (payload-layout.ts) of the same process; when a process carries as many of the room's consumers as it
// may, new transports go to routers of another. Streams reach other routers by pipe, when they are first consumed there.
import { EventEmitter } from 'node:events';
import type { types } from 'mediasoup';
import type { SfuConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { PlayerTransportOptions, SfuPlayerTransport } from '#core/player-transport.ts';
import type {
  Logger,
  SfuDataProducer,
  SfuPlainTransport,
  SfuProducer,
  SfuRoom,
  SfuRoomEvents,
  SfuWebRtcTransport,
  WebRtcTransportOptions,
} from '#core/ports.ts';
import type { RtpCapabilities } from '#core/rtp.ts';
import { AudioObserver } from './audio-observer.ts';
import type { LayerLimit } from './layer-limit.ts';
import { type LayoutPlan, planLayout } from './payload-layout.ts';
import { PlainTransport } from './plain-transport.ts';
import { PlayerTransport } from './player-transport.ts';
import { type Lease, type Origin, RoomNode } from './room-node.ts';
import { RouterPipe } from './router-pipe.ts';
import { mediaLost, toSfuError } from './sfu-errors.ts';
import type { SfuProcess, SfuProcessUser } from './sfu-process.ts';
import type { RoomMedia } from './transports.ts';
import { WebRtcTransport } from './webrtc-transport.ts';

/** Who knows how loaded the processes are. */
export interface ProcessChooser {
  readonly layers: LayerLimit;
  chooseProcess(avoid: ReadonlySet<SfuProcess>): SfuProcess | undefined;
}

export class RoomRouter implements SfuRoom, SfuProcessUser, RoomMedia {
  readonly events = new EventEmitter<SfuRoomEvents>();
  readonly config: SfuConfig;
  readonly log: Logger;
  readonly #chooser: ProcessChooser;
  readonly #main: RoomNode;
  readonly #nodes = new Set<RoomNode>();
  /** Made or being made, by process and layout. */
  readonly #nodesByPlace = new Map<SfuProcess, Map<string, Promise<RoomNode>>>();
  readonly #pipes = new Map<string, RouterPipe>();
  readonly #origins = new Map<string, Origin<types.Producer>>();
  readonly #dataOrigins = new Map<string, Origin<types.DataProducer>>();
  readonly #audio: AudioObserver;
  #state: 'open' | 'failed' | 'closed' = 'open';

  private constructor(chooser: ProcessChooser, main: RoomNode, config: SfuConfig, log: Logger) {
    this.events.setMaxListeners(0);
    this.#chooser = chooser;
    this.#main = main;
    this.config = config;
    this.log = log;
    this.#nodes.add(main);
    this.#nodesByPlace.set(main.process, new Map([['room', Promise.resolve(main)]]));
    main.process.users.add(this);
    this.#audio = new AudioObserver(main, {
      speakerChanged: (producerId) => this.events.emit('dominantSpeakerChanged', producerId),
      levelsMeasured: (levels) => this.events.emit('levelsMeasured', levels),
    });
  }

  /** @throws GatewayError `media_lost` when the process dies meanwhile */
  static async create(
    chooser: ProcessChooser,
    process: SfuProcess,
    config: SfuConfig,
    log: Logger,
  ): Promise<RoomRouter> {
    try {
      const main = await RoomNode.create(process);
      if (process.isClosed) throw mediaLost();
      return new RoomRouter(chooser, main, config, log);
    } catch (thrown) {
      throw toSfuError(thrown, 'internal', 'this room');
    }
  }

  get layers(): LayerLimit {
    return this.#chooser.layers;
  }

  get rtpCapabilities(): RtpCapabilities {
    return this.#main.rtpCapabilities;
  }

  get isClosed(): boolean {
    return this.#state !== 'open';
  }

  async createWebRtcTransport(options: WebRtcTransportOptions = {}): Promise<SfuWebRtcTransport> {
    this.assertOpen();
    const plan = options.layout && planLayout(options.layout);
    return this.#onNode(plan, (node) => WebRtcTransport.create(this, node, options, plan));
  }

  async createPlainTransport(): Promise<SfuPlainTransport> {
    this.assertOpen();
    return this.#onNode(undefined, (node) => PlainTransport.create(this, node));
  }

  async createPlayerTransport(options: PlayerTransportOptions): Promise<SfuPlayerTransport> {
    this.assertOpen();
    return this.#onNode(undefined, (node) => PlayerTransport.create(this, node, options));
  }

  async observeAudio(producer: SfuProducer): Promise<void> {
    this.assertOpen();
    if (producer.kind !== 'audio') throw new GatewayError('invalid_request', 'Only audio has levels.');
    try {
      await this.#audio.observe(producer.id, () => this.leaseProducer(producer, this.#main));
    } catch (thrown) {
      throw this.explain(thrown, 'internal', 'the level of this stream');
    }
  }

  close(): void {
    this.#end('closed');
  }

  onProcessGone(reason: CloseReason): void {
    this.#end(reason === 'failed' ? 'failed' : 'closed');
  }

  // ── For the transports of this room ──────────────────────────────────────────────────────────────────────────────

  /** @throws GatewayError `media_lost`, `closed` */
  assertOpen(): void {
    if (this.#state === 'failed') throw mediaLost();
    if (this.#state === 'closed') throw new GatewayError('closed', 'The media of this room has been closed.');
  }

  /** As toSfuError(), but what fails because the room went says so. */
  explain(...[thrown, fallback, what]: Parameters<typeof toSfuError>): GatewayError {
    if (thrown instanceof GatewayError) return thrown;
    if (this.#state === 'failed') return mediaLost(thrown);
    if (this.#state === 'closed') return new GatewayError('closed', 'The media of this room has been closed.');
    return toSfuError(thrown, fallback, what);
  }

  admitProducer(native: types.Producer, node: RoomNode): void {
    this.#origins.set(native.id, { native, node });
    node.process.streamCount++;
    native.observer.once('close', () => {
      this.#origins.delete(native.id);
      node.process.streamCount--;
      this.#audio.forget(native.id);
    });
  }

  admitDataProducer(native: types.DataProducer, node: RoomNode): void {
    this.#dataOrigins.set(native.id, { native, node });
    native.observer.once('close', () => this.#dataOrigins.delete(native.id));
  }

  admitConsumer(native: types.Consumer, node: RoomNode): void {
    node.consumerCount++;
    node.process.consumerCount++;
    node.process.streamCount++;
    native.observer.once('close', () => {
      node.consumerCount--;
      node.process.consumerCount--;
      node.process.streamCount--;
    });
  }

  /** @throws GatewayError `closed` when the producer has ended or is of another room */
  async leaseProducer(producer: Pick<SfuProducer, 'id'>, node: RoomNode): Promise<Lease<types.Producer>> {
    const origin = this.#origins.get(producer.id);
    if (!origin) throw new GatewayError('closed', 'That stream has ended.');
    if (origin.node === node) return { native: origin.native, release: () => undefined };
    const pipe = this.#pipeBetween(origin.node, node);
    return node.producers.acquire(origin.native, () => pipe.carry(origin.node.router, origin.native));
  }

  /** @throws GatewayError `closed` */
  async leaseDataProducer(producer: Pick<SfuDataProducer, 'id'>, node: RoomNode): Promise<Lease<types.DataProducer>> {
    const origin = this.#dataOrigins.get(producer.id);
    if (!origin) throw new GatewayError('closed', 'That data channel has ended.');
    if (origin.node === node) return { native: origin.native, release: () => undefined };
    const pipe = this.#pipeBetween(origin.node, node);
    return node.dataProducers.acquire(origin.native, () => pipe.carryData(origin.node.router, origin.native));
  }

  // ── Routers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #onNode<T>(plan: LayoutPlan | undefined, create: (node: RoomNode) => Promise<T>): Promise<T> {
    try {
      return await create(await this.#nodeFor(this.#placeTransport(), plan));
    } catch (thrown) {
      throw this.explain(thrown, 'overloaded', 'a transport');
    }
  }

  /** The first of the room's processes that has space; else one more; else the least loaded of all. */
  #placeTransport(): SfuProcess {
    const used = new Map<SfuProcess, number>();
    for (const { process, consumerCount } of this.#nodes) {
      used.set(process, (used.get(process) ?? 0) + consumerCount);
    }
    for (const [process, consumers] of used) {
      if (consumers < this.config.maxConsumersPerRouter) return process;
    }
    const avoid = new Set(used.keys());
    return this.#chooser.chooseProcess(avoid) ?? this.#chooser.chooseProcess(new Set()) ?? this.#main.process;
  }

  #nodeFor(process: SfuProcess, plan: LayoutPlan | undefined): Promise<RoomNode> {
    const nodes = this.#nodesByPlace.get(process) ?? new Map<string, Promise<RoomNode>>();
    this.#nodesByPlace.set(process, nodes);
    const key = plan?.key ?? 'room';
    const existing = nodes.get(key);
    if (existing) return existing;
    const creating = this.#createNode(process, key === 'room' ? undefined : plan);
    nodes.set(key, creating);
    creating.catch(() => nodes.delete(key));
    return creating;
  }

  async #createNode(process: SfuProcess, plan: LayoutPlan | undefined): Promise<RoomNode> {
    process.users.add(this);
    const node = await RoomNode.create(process, plan);
    // The room has closed its routers meanwhile, and this one came too late for it.
    if (this.isClosed) node.router.close();
    this.assertOpen();
    this.#nodes.add(node);
    return node;
  }

  #pipeBetween(a: RoomNode, b: RoomNode): RouterPipe {
    const key = [a.router.id, b.router.id].sort().join(' ');
    const isWithinProcess = a.process === b.process;
    const pipe = this.#pipes.get(key) ?? new RouterPipe([a.router, b.router], a.process.loopback, { isWithinProcess });
    this.#pipes.set(key, pipe);
    return pipe;
  }

  #end(state: 'failed' | 'closed'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    this.#audio.close();
    if (state === 'failed') this.events.emit('failed');
    for (const process of this.#nodesByPlace.keys()) process.users.delete(this);
    for (const { router } of this.#nodes) router.close();
    this.events.emit('closed');
  }
}
