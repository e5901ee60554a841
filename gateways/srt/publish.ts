// Owns: a stream of units pushed to an SRT listener as MPEG-TS. May import: core, wire, its neighbours.
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { SourceSink, SourceStream, SourceUnit } from '#core/media-source.ts';
import { TsMuxer, tsPacketBytes } from '#wire/mpegts/muxer.ts';
import { pushSrt, type SrtPush, type SrtPushOptions } from './client.ts';

/** What live SRT puts into one packet. */
const payloadBytes = 7 * tsPacketBytes;
/** Not confirmed by the server; past it pictures are left out up to the next key frame. */
const maxQueuedBytes = 4 * 1_048_576;

/** Told of streams and units as any sink; closed by its owner or by the other side, with `failure` saying why. */
export class SrtPublication extends Owned implements SourceSink {
  readonly #push: SrtPush;
  readonly #streams = new Map<number, SourceStream>();
  #muxer: TsMuxer | undefined;
  #awaitsKey = false;
  #sentFrames = 0;

  constructor(push: SrtPush) {
    super();
    this.#push = push;
    void push.done.then((reason) => this.close(reason));
  }

  get failure(): GatewayError | undefined {
    return this.#push.failure;
  }

  get queuedBytes(): number {
    return this.#push.queuedBytes;
  }

  get sentFrames(): number {
    return this.#sentFrames;
  }

  /** @throws GatewayError `unsupported_media_type` for what is not carried here */
  describe(stream: SourceStream): void {
    const isCarried = stream.framing.kind === 'bare' && ['h264', 'h265', 'aac'].includes(stream.codec);
    if (!isCarried) throw new GatewayError('unsupported_media_type', `SRT does not carry ${stream.codec} from here.`);
    this.#streams.set(stream.id, stream);
    this.#muxer = undefined;
  }

  deliver(unit: SourceUnit): void {
    const stream = this.#streams.get(unit.streamId);
    if (this.isClosed || !stream || unit.kind !== 'access_unit') return;
    const isFull = this.queuedBytes > maxQueuedBytes;
    if (stream.kind === 'video') {
      if (isFull) this.#awaitsKey = true;
      else if (unit.isKey) this.#awaitsKey = false;
      if (this.#awaitsKey) return;
    } else if (isFull) return;
    this.#muxer ??= this.#makeMuxer();
    const packets = this.#muxer.write({ ...unit, kind: stream.kind });
    for (let at = 0; at < packets.length; at += payloadBytes) this.#push.write(packets.subarray(at, at + payloadBytes));
    this.#sentFrames += 1;
  }

  #makeMuxer(): TsMuxer {
    const of = (kind: 'audio' | 'video') => [...this.#streams.values()].find((stream) => stream.kind === kind);
    const codec = of('video')?.codec;
    const video = codec === 'h264' || codec === 'h265' ? codec : undefined;
    return new TsMuxer({ video, audioConfig: of('audio')?.config });
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    await this.#push.close(reason);
  }
}

/** As `pushSrt()`, for units. */
export async function publishSrt(options: SrtPushOptions, signal?: AbortSignal): Promise<SrtPublication> {
  return new SrtPublication(await pushSrt(options, signal));
}
