// Owns: bodies that are read from front to back: MPEG-TS, FLV, AAC, MP3. May import: core, wire/mpegts, its neighbours.
import type { SourceSink } from '#core/media-source.ts';
import { AudioFramer } from '#wire/mpegts/audio-frames.ts';
import { TsDemuxer } from '#wire/mpegts/demuxer.ts';
import type { MediaKind } from './media-kind.ts';

/** Takes a format apart, byte by byte. What it throws ends the pull with that reason. */
export interface ByteDemuxer {
  push(data: Buffer): void;
  /** The body is over: what waited for its end comes out. */
  flush(): void;
}

/** Formats that are read elsewhere, and given in by whoever knows both: gateways do not import each other. */
export interface ForeignDemuxers {
  readonly flv: (sink: SourceSink) => ByteDemuxer;
}

export type ByteStreamKind = Exclude<MediaKind, 'hls' | 'container'>;

export function openDemuxer(kind: ByteStreamKind, sink: SourceSink, foreign: ForeignDemuxers): ByteDemuxer {
  if (kind === 'mpegts') return new TsDemuxer(sink);
  if (kind === 'flv') return foreign.flv(sink);
  return new RawAudio(kind, sink);
}

/** Frames of AAC or MP3 one after another, as internet radio sends them: the frames are the clock. */
export class RawAudio implements ByteDemuxer {
  readonly #framer: AudioFramer;
  readonly #sink: SourceSink;
  readonly #startUs: number;
  #isFirst = true;
  #described = '';

  /** @param startUs when its first frame is to be heard, on the clock of its source */
  constructor(kind: 'adts' | 'mpeg_audio', sink: SourceSink, startUs = 0) {
    this.#framer = new AudioFramer(kind);
    this.#sink = sink;
    this.#startUs = startUs;
  }

  push(data: Buffer): void {
    this.#framer.push(data, this.#isFirst ? this.#startUs : undefined, ({ format, data: frame, ptsUs }) => {
      const { config, ...rest } = format;
      const described = `${JSON.stringify(rest)}${config?.toString('hex')}`;
      if (described !== this.#described) {
        this.#described = described;
        this.#sink.describe({ id: 1, kind: 'audio', framing: { kind: 'bare' }, ...format });
      }
      const atUs = Math.round(ptsUs);
      this.#sink.deliver({ kind: 'access_unit', streamId: 1, ptsUs: atUs, dtsUs: atUs, isKey: true, data: frame });
    });
    this.#isFirst = false;
  }

  flush(): void {
    // A frame that is not whole is none.
  }
}

/** @returns the first bytes, as many as there are up to `count`, and the whole with them in front */
export async function peek(
  body: AsyncIterable<Buffer>,
  count: number,
): Promise<{ readonly head: Buffer; readonly whole: AsyncIterable<Buffer> }> {
  const iterator = body[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  let isOver = false;
  while (head.length < count && !isOver) {
    const { value, done } = await iterator.next();
    if (done) isOver = true;
    else head = head.length > 0 ? Buffer.concat([head, value]) : value;
  }
  const whole = (async function* () {
    try {
      if (head.length > 0) yield head;
      while (!isOver) {
        const { value, done } = await iterator.next();
        if (done) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  })();
  return { head, whole };
}
