// Owns: what every kind of transport does: streams in, streams out, both ended with it.
import { errors, type types } from 'mediasoup';
import type { SfuConfig } from '#config/schema.ts';
import type { ConsumeOptions, SfuConsumer, SfuDataProducer, SfuProducer } from '#core/ports.ts';
import type { MediaKind, RtpParameters } from '#core/rtp.ts';
import type { LayerLimit } from './layer-limit.ts';
import type { Lease, RoomNode } from './room-node.ts';
import { checkRtpCapabilities, checkRtpParameters } from './rtp-params.ts';
import { Consumer, Producer, type RoomState, runOpen } from './streams.ts';
import { checkVideoLayers } from './transport-params.ts';
import { refuse, text } from './untrusted.ts';

/**
 * libwebrtc drops a PLI that comes within 300 ms of the one before, and mediasoup asks again after a second only: spaced
 * out, none is dropped, and many that join at once share the key frame that comes next.
 */
const keyFrameSpacingMs = 350;

/** What a transport wants of its room. */
export interface RoomMedia extends RoomState {
  readonly config: SfuConfig;
  readonly layers: LayerLimit;
  admitProducer(native: types.Producer, node: RoomNode): void;
  admitConsumer(native: types.Consumer, node: RoomNode): void;
  admitDataProducer(native: types.DataProducer, node: RoomNode): void;
  leaseProducer(producer: Pick<SfuProducer, 'id'>, node: RoomNode): Promise<Lease<types.Producer>>;
  leaseDataProducer(producer: Pick<SfuDataProducer, 'id'>, node: RoomNode): Promise<Lease<types.DataProducer>>;
}

/** Longest mid that fits the header extension in which the worker writes it. */
const maxMidLength = 8;

export abstract class MediaTransport<Native extends types.Transport> {
  readonly id: string;
  protected readonly native: Native;
  protected readonly room: RoomMedia;
  protected readonly node: RoomNode;

  protected constructor(native: Native, room: RoomMedia, node: RoomNode) {
    this.id = native.id;
    this.native = native;
    this.room = room;
    this.node = node;
  }

  get isClosed(): boolean {
    return this.native.closed;
  }

  produce(options: { kind: MediaKind; rtpParameters: RtpParameters; isPaused?: boolean }): Promise<SfuProducer> {
    return this.run('this stream', async () => {
      const { kind, isPaused: paused = false } = options;
      const rtpParameters = checkRtpParameters(kind, options.rtpParameters);
      const native = await this.native.produce({
        kind,
        rtpParameters,
        paused,
        keyFrameRequestDelay: keyFrameSpacingMs,
      });
      this.room.admitProducer(native, this.node);
      return new Producer(native, this.room);
    });
  }

  consume({ producer, rtpCapabilities, preferredLayers, mid }: ConsumeOptions): Promise<SfuConsumer> {
    return this.run('this stream', async () => {
      const capabilities = checkRtpCapabilities(rtpCapabilities);
      const options: Pick<types.ConsumerOptions, 'mid' | 'preferredLayers'> = {};
      const wanted = preferredLayers && checkVideoLayers(preferredLayers);
      const applied = this.room.layers.within(wanted);
      if (applied) options.preferredLayers = applied;
      if (mid !== undefined && this.#isMidSent(mid, capabilities)) options.mid = mid;
      const lease = await this.room.leaseProducer(producer, this.node);
      try {
        const native = await this.native.consume({
          ...options,
          producerId: lease.native.id,
          rtpCapabilities: capabilities,
          paused: true,
          // Also for Opus, and for receivers without RTX: NACK is then answered by plain retransmission.
          enableRtx: true,
        });
        assertSourceOpen(lease.native, native);
        native.observer.once('close', lease.release);
        this.room.admitConsumer(native, this.node);
        const { layers: limit } = this.room;
        const { native: source } = lease;
        return new Consumer(native, this.room, { producerId: producer.id, source, mid, wanted, applied, limit });
      } catch (thrown) {
        lease.release();
        throw thrown;
      }
    });
  }

  close(): void {
    this.native.close();
  }

  /** @throws GatewayError `closed`, `media_lost`, `invalid_request` and what `action` throws */
  protected run<T>(what: string, action: () => Promise<T>): Promise<T> {
    return runOpen(this, this.room, what, action);
  }

  /** A long mid is fine where it stands in SDP alone; where the packets are to carry it, it has to fit. */
  #isMidSent(mid: string, { headerExtensions = [] }: types.RtpCapabilities): boolean {
    text(mid, 'mid', 1, 255);
    const isInPackets = headerExtensions.some(({ uri }) => uri === 'urn:ietf:params:rtp-hdrext:sdes:mid');
    if (isInPackets && Buffer.byteLength(mid) > maxMidLength) refuse('mid', `may have ${maxMidLength} bytes`);
    return isInPackets;
  }
}

/** A consumer misses the end of its producer when that comes before mediasoup has made the object for it. */
export function assertSourceOpen(
  producer: { readonly closed: boolean },
  consumer: { readonly closed: boolean; close(): void },
): void {
  if (!producer.closed && !consumer.closed) return;
  consumer.close();
  throw new errors.NotFoundError('the producer has ended');
}
