// Owns: a client that is a SourceSink (RTMP, SRT) as a connection of a push. May import: core's words, media/rtp, its
// neighbours; the client itself comes from media/push-openers.ts.
import type { GatewayError } from '#core/errors.ts';
import type { SourceSink, SourceStream } from '#core/media-source.ts';
import { av1Record, parseAv1 } from '#wire/fmp4/av1.ts';
import { toLengthPrefixed } from '../rtp/h264.ts';
import { nalUnitsInBand } from './nal-samples.ts';
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
    const codec = this.#framing === 'flv' && kind === 'video' ? this.#videoCodec : undefined;
    const bytes = isNalCodec(codec) ? toLengthPrefixed(nalUnitsInBand(codec, data)) : data;
    const before = this.#client.sentFrames;
    this.#client.deliver({ kind: 'access_unit', streamId: streamIds[kind], ptsUs, dtsUs, isKey, data: bytes });
    if (this.#client.sentFrames > before) this.#bytesOut += bytes.length;
  }

  async close(): Promise<void> {
    await this.#client.close('requested');
  }
}

function isNalCodec(codec: string | undefined): codec is 'h264' | 'h265' {
  return codec === 'h264' || codec === 'h265';
}

function sourceStreamOf(stream: EgressStream, wanted: Framing): SourceStream {
  const framing =
    wanted === 'flv' && isNalCodec(stream.codec)
      ? ({ kind: 'length_prefixed', lengthSize: 4 } as const)
      : ({ kind: 'bare' } as const);
  return { ...stream, config: configOf(stream, wanted), id: streamIds[stream.kind], framing };
}

/** AV1's sequence header stands in a record of its own there, as in MP4. */
function configOf({ codec, config }: EgressStream, wanted: Framing): Uint8Array | undefined {
  const parsed = wanted === 'flv' && codec === 'av1' && config ? parseAv1(config) : undefined;
  return parsed ? av1Record(parsed) : config;
}
