// Owns: SfuProducer and SfuConsumer on mediasoup's, with their events, units and errors.
import { EventEmitter } from 'node:events';
import { errors, type types } from 'mediasoup';
import type { GatewayError } from '#core/errors.ts';
import type {
  SfuConsumer,
  SfuConsumerEvents,
  SfuProducer,
  SfuProducerEvents,
  StreamStats,
  VideoLayers,
} from '#core/ports.ts';
import type { MediaKind, RtpParameters } from '#core/rtp.ts';
import type { LayerLimit } from './layer-limit.ts';
import type { toSfuError } from './sfu-errors.ts';
import { toStreamStats } from './stats.ts';
import { checkVideoLayers } from './transport-params.ts';
import { integer } from './untrusted.ts';

/** What a stream wants to know of its room. */
export interface RoomState {
  /** @throws GatewayError `media_lost`, `closed` */
  assertOpen(): void;
  /** Says why something failed, with what the room knows of itself. */
  explain(...args: Parameters<typeof toSfuError>): GatewayError;
}

/** More than any stream has; the worker takes the highest that there is. */
const highestLayers: VideoLayers = { spatialLayer: 15 };

export class Producer implements SfuProducer {
  readonly events = new EventEmitter<SfuProducerEvents>();
  readonly id: string;
  readonly kind: MediaKind;
  readonly type: 'simple' | 'simulcast' | 'svc';
  readonly rtpParameters: RtpParameters;
  readonly #native: types.Producer;
  readonly #room: RoomState;

  constructor(native: types.Producer, room: RoomState) {
    this.#native = native;
    this.#room = room;
    this.id = native.id;
    this.kind = native.kind;
    this.type = native.type;
    this.rtpParameters = native.rtpParameters;
    native.on('score', (scores) => this.events.emit('scored', scoresInOrder(scores, this.#encodingCount)));
    native.on('videoorientationchange', ({ rotation, flip }) =>
      this.events.emit('orientationChanged', { rotation, flip }),
    );
    native.observer.once('close', () => this.events.emit('closed'));
  }

  get isPaused(): boolean {
    return this.#native.paused;
  }

  get isClosed(): boolean {
    return this.#native.closed;
  }

  get #encodingCount(): number {
    return this.rtpParameters.encodings?.length ?? 1;
  }

  pause(): Promise<void> {
    return this.#run(() => this.#native.pause());
  }

  resume(): Promise<void> {
    return this.#run(() => this.#native.resume());
  }

  async getStats(): Promise<readonly StreamStats[]> {
    const stats = await this.#run(() => this.#native.getStats());
    return stats.map((entry) => toStreamStats(entry, this.rtpParameters.codecs));
  }

  close(): void {
    this.#native.close();
  }

  #run<T>(action: () => Promise<T>): Promise<T> {
    return runOpen(this, this.#room, 'this stream', action);
  }
}

/** mediasoup tells the encodings that it has seen, in the order it saw them; the others have no score yet. */
function scoresInOrder(scores: readonly types.ProducerScore[], encodingCount: number): readonly number[] {
  const ordered = new Array<number>(Math.max(encodingCount, 1)).fill(0);
  for (const { encodingIdx, score } of scores) ordered[encodingIdx] = score;
  return ordered;
}

export interface ConsumerOptions {
  /** What it is of in its own router, as far as it matters here. */
  readonly source: { readonly closed: boolean };
  /** Of the stream where it entered the room, which for the native consumer may be one that was piped. */
  readonly producerId: string;
  /** Of the receiver's m-line, where it was given. */
  readonly mid: string | undefined;
  /** Layers that the receiver asked for; undefined: the highest. */
  readonly wanted: VideoLayers | undefined;
  readonly limit: LayerLimit;
  /** What the worker was given when it was to make this: those within the limit of then. */
  readonly applied: VideoLayers | undefined;
}

export class Consumer implements SfuConsumer {
  readonly events = new EventEmitter<SfuConsumerEvents>();
  readonly id: string;
  readonly producerId: string;
  readonly kind: MediaKind;
  readonly type: 'simple' | 'simulcast' | 'svc';
  readonly rtpParameters: RtpParameters;
  readonly #native: types.Consumer;
  readonly #source: ConsumerOptions['source'];
  readonly #room: RoomState;
  readonly #limit: LayerLimit;
  #wanted: VideoLayers | undefined;
  #unfollow: (() => void) | undefined;
  #isClosed = false;

  constructor(native: types.Consumer, room: RoomState, options: ConsumerOptions) {
    const { producerId, mid, source } = options;
    this.#native = native;
    this.#source = source;
    this.#room = room;
    this.#limit = options.limit;
    this.#wanted = options.wanted;
    this.id = native.id;
    this.producerId = producerId;
    this.kind = native.kind;
    // `pipe` is for consumers of PipeTransports, which stay inside this part.
    this.type = native.type === 'pipe' ? 'simple' : native.type;
    const { rtpParameters } = native;
    this.rtpParameters = mid === undefined ? rtpParameters : { ...rtpParameters, mid };
    native.on('layerschange', (layers) => this.events.emit('layersChanged', layers ?? null));
    native.on('score', ({ score, producerScore }) => this.events.emit('scored', { score, producerScore }));
    this.#unfollow = native.kind === 'video' && this.type !== 'simple' ? this.#limit.follow(this) : undefined;
    // The limit came or went while the worker made it.
    const { spatialLayer } = this.#limit.within(this.#wanted) ?? {};
    if (this.#unfollow && spatialLayer !== options.applied?.spatialLayer) this.applyLimit();
    native.observer.once('close', () => this.#end());
  }

  get isPaused(): boolean {
    return this.#native.paused;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get currentLayers(): VideoLayers | null {
    return this.#native.currentLayers ?? null;
  }

  pause(): Promise<void> {
    return this.#run(() => this.#native.pause());
  }

  resume(): Promise<void> {
    return this.#run(() => this.#native.resume());
  }

  setPreferredLayers(layers: VideoLayers): Promise<void> {
    return this.#run(() => {
      this.#wanted = checkVideoLayers(layers);
      return this.#native.setPreferredLayers(this.#limit.within(this.#wanted) ?? this.#wanted);
    });
  }

  applyLimit(): void {
    const layers = this.#limit.within(this.#wanted) ?? highestLayers;
    // One that ends meanwhile needs no layers.
    this.#run(() => this.#native.setPreferredLayers(layers)).catch(() => undefined);
  }

  setPriority(priority: number): Promise<void> {
    return this.#run(() => this.#native.setPriority(integer(priority, 'priority', 1, 255)));
  }

  requestKeyFrame(): Promise<void> {
    return this.#run(() => this.#native.requestKeyFrame());
  }

  async getStats(): Promise<readonly StreamStats[]> {
    const stats = await this.#run(() => this.#native.getStats());
    // The producer's own are there too, and can be asked of it.
    return stats
      .filter(({ type }) => type === 'outbound-rtp')
      .map((entry) => toStreamStats(entry, this.rtpParameters.codecs));
  }

  /** With its producer the worker has ended it, and is about to say so: asked to do it again it complains. */
  close(): void {
    if (this.#source.closed) this.#end();
    else this.#native.close();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unfollow?.();
    this.events.emit('closed');
  }

  #run<T>(action: () => Promise<T>): Promise<T> {
    return runOpen(this, this.#room, 'this stream', action);
  }
}

/** @throws GatewayError `closed` when it has ended, before or meanwhile; `media_lost`; `invalid_request` */
export async function runOpen<T>(
  stream: { readonly isClosed: boolean },
  room: RoomState,
  what: string,
  action: () => Promise<T>,
): Promise<T> {
  room.assertOpen();
  try {
    if (stream.isClosed) throw new errors.NotFoundError(what);
    return await action();
  } catch (thrown) {
    throw room.explain(thrown, stream.isClosed ? 'closed' : 'invalid_request', what);
  }
}
