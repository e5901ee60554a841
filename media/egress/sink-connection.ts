// Owns: a client that is a SourceSink (RTMP, SRT) as a connection of a push. May import: core's words, media/rtp, its
// neighbours; the client itself comes from media/push-openers.ts.
import type { GatewayError } from '#core/errors.ts';
import type { SourceSink, SourceStream } from '#core/media-source.ts';
import { h264Nal, h264NalType, splitAnnexB, toLengthPrefixed } from '../rtp/h264.ts';
import { type PushConnection, type PushEnd, pushEndOf } from './push-connection.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

/** As gateways/rtmp and gateways/srt have it. */
export interface SinkClient extends SourceSink {
  readonly done: Promise<unknown>;
  readonly failure: GatewayError | undefined;
  readonly queuedBytes: number;
  readonly sentFrames: number;
  close(reason: 'requested'): Promise<unknown>;
}

const streamIds = { video: 0, audio: 1 } as const;

/** What the client wants H264 and H265 in: `flv` has lengths before NAL units, and parameter sets beside the stream. */
type Framing = 'flv' | 'annex_b';

export class SinkConnection implements PushConnection {
  readonly #client: SinkClient;
  readonly #framing: Framing;
  #videoCodec: string | undefined;
  #bytesOut = 0;

  constructor(client: SinkClient, framing: Framing) {
    this.#client = client;
    this.#framing = framing;
  }

  get done(): Promise<PushEnd> {
    return this.#client.done.then(() => pushEndOf(this.#client.failure));
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  get queuedBytes(): number {
    return this.#client.queuedBytes;
  }

  describe(streams: readonly EgressStream[]): void {
    for (const stream of streams) {
      if (stream.kind === 'video') this.#videoCodec = stream.codec;
      this.#client.describe(sourceStreamOf(stream, this.#framing));
    }
  }

  write({ kind, ptsUs, dtsUs, isKey, data }: EgressUnit): void {
    const isFlv = this.#framing === 'flv' && kind === 'video' && isNalCodec(this.#videoCodec);
    const bytes = isFlv ? withoutSets(data) : data;
    const before = this.#client.sentFrames;
    this.#client.deliver({ kind: 'access_unit', streamId: streamIds[kind], ptsUs, dtsUs, isKey, data: bytes });
    if (this.#client.sentFrames > before) this.#bytesOut += bytes.length;
  }

  async close(): Promise<void> {
    await this.#client.close('requested');
  }
}

function isNalCodec(codec: string | undefined): boolean {
  return codec === 'h264' || codec === 'h265';
}

function sourceStreamOf(stream: EgressStream, wanted: Framing): SourceStream {
  const framing =
    wanted === 'flv' && isNalCodec(stream.codec)
      ? ({ kind: 'length_prefixed', lengthSize: 4 } as const)
      : ({ kind: 'bare' } as const);
  return { ...stream, id: streamIds[stream.kind], framing };
}

/** Parameter sets of H264 are in the sequence header; delimiters have no meaning here. */
function withoutSets(data: Uint8Array): Buffer {
  const { sps, pps, aud } = h264Nal;
  const left = new Set<number>([sps, pps, aud]);
  return toLengthPrefixed(splitAnnexB(data).filter((nal) => !left.has(h264NalType(nal))));
}
