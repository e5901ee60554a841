// Owns: the media of one HLS segment, whatever it is wrapped in: MPEG-TS, fragmented MP4, AAC or MP3 alone. May import:
// core, wire/mpegts, its neighbours.
import { GatewayError } from '#core/errors.ts';
import type { SourceSink } from '#core/media-source.ts';
import { TsDemuxer } from '#wire/mpegts/demuxer.ts';
import { RawAudio } from '../byte-stream.ts';
import { readContainer } from '../container.ts';
import { headBytes, mediaKindOf } from '../media-kind.ts';

/** Segments of one rendition, one after another; kept for as long as they are on one time line. */
export class SegmentReader {
  readonly #sink: SourceSink;
  readonly #signal: AbortSignal;
  #demuxer: TsDemuxer | undefined;

  constructor(sink: SourceSink, signal: AbortSignal) {
    this.#sink = sink;
    this.#signal = signal;
  }

  /** @throws GatewayError `unsupported_media_type` */
  async read(data: Buffer, map: Buffer | undefined): Promise<void> {
    const { timeUs, size } = readTag(data);
    const body = data.subarray(size);
    if (map) return readContainer(body, map, this.#sink, async () => undefined, this.#signal);
    const kind = mediaKindOf(body.subarray(0, headBytes));
    if (kind === 'mpegts') {
      this.#demuxer ??= new TsDemuxer(this.#sink);
      this.#demuxer.push(body);
      this.#demuxer.flush();
      const { unknownTypes, scrambled } = this.#demuxer.facts;
      if (scrambled > 0) throw new GatewayError('unsupported_media_type', 'The segments are encrypted.');
      if (unknownTypes.length > 20) throw new GatewayError('unsupported_media_type', 'Nothing in it can be read.');
    } else if (kind === 'adts' || kind === 'mpeg_audio') {
      new RawAudio(kind, this.#sink, timeUs ?? 0).push(body);
    } else if (kind === 'container') {
      await readContainer(body, undefined, this.#sink, async () => undefined, this.#signal);
    } else {
      throw new GatewayError('unsupported_media_type', 'The segments are neither MPEG-TS, MP4, AAC nor MP3.');
    }
  }
}

const timestampOwner = 'com.apple.streaming.transportStreamTimestamp\0';

/** The ID3 tag in front of packed audio (RFC 8216 §3.4): its time, 33 bits of 90 kHz, and how long it is itself. */
function readTag(data: Buffer): { readonly timeUs: number | undefined; readonly size: number } {
  if (data.length < 10 || data.toString('latin1', 0, 3) !== 'ID3') return { timeUs: undefined, size: 0 };
  // Four times seven bits.
  const size = 10 + [6, 7, 8, 9].reduce((sum, at) => sum * 128 + ((data[at] ?? 0) & 0x7f), 0);
  const tag = data.subarray(0, size);
  const at = tag.indexOf(timestampOwner, 0, 'latin1');
  const valueAt = at + timestampOwner.length;
  if (at < 0 || valueAt + 8 > tag.length) return { timeUs: undefined, size };
  const ticks = (tag.readUInt32BE(valueAt) & 1) * 2 ** 32 + tag.readUInt32BE(valueAt + 4);
  return { timeUs: Math.round((ticks * 100) / 9), size };
}
