// Owns: RTMP's audio and video messages with their 32-bit clock <-> the streams and units of core. Pure.
// May import: core.
import { GatewayError } from '#core/errors.ts';
import type { SourceSink, SourceStream, SourceUnit, StreamFraming } from '#core/media-source.ts';
import { type AmfObject, numberOf } from './amf0.ts';
import type { RtmpMessage } from './chunk.ts';
import {
  buildAudioTag,
  buildVideoTag,
  type FlvAudioCodec,
  type FlvAudioTag,
  type FlvVideoCodec,
  type FlvVideoTag,
  parseAudioTag,
  parseVideoTag,
} from './flv.ts';
import { chunkStream, messageType } from './messages.ts';

/** More tracks than this in one connection are not looked at. */
const maxStreams = 8;
/** Nothing can be decoded of these before their configuration has come. */
const needConfig: ReadonlySet<string> = new Set(['h264', 'h265', 'aac']);

/**
 * Extends a 32-bit millisecond timestamp past its wrap (after 49.7 days, or a few seconds where an encoder starts high).
 * @param timestamp field from the message, 0..2^32-1
 * @param last previous extended value; undefined for the first, which is taken as it is
 * @returns milliseconds; lower than `last` where the publisher went back
 */
export function extendTimestampMs(timestamp: number, last: number | undefined): number {
  if (last === undefined) return timestamp;
  return last + ((timestamp - last) | 0); // the difference as signed 32 bits
}

/** Tells a sink what a publisher's messages hold. One clock for all tracks, so that they keep their distance. */
export class TagTranslator {
  readonly #sink: SourceSink;
  /** By `kind/track`. Video has even ids, audio odd ones: the same when the publisher comes back and begins with the other. */
  readonly #streams = new Map<string, { id: number; described: SourceStream | undefined }>();
  #metadata: AmfObject = {};
  #lastMs: number | undefined;

  constructor(sink: SourceSink) {
    this.#sink = sink;
  }

  /** What onMetaData says of the pictures that follow. */
  metadata(values: AmfObject): void {
    this.#metadata = values;
  }

  /** @throws GatewayError `invalid_request` for a broken body, `unsupported_media_type` for an unknown codec */
  message(message: RtmpMessage): void {
    this.#lastMs = extendTimestampMs(message.timestamp, this.#lastMs);
    const tags = message.type === messageType.video ? parseVideoTag(message.payload) : parseAudioTag(message.payload);
    for (const tag of tags) this.#tag(tag, this.#lastMs);
  }

  #tag(tag: FlvVideoTag | FlvAudioTag, timestampMs: number): void {
    const key = `${tag.kind}/${tag.trackId}`;
    const known = this.#streams.get(key);
    if ((!known && this.#streams.size >= maxStreams) || tag.type === 'end' || tag.payload.length === 0) return;
    const stream = known ?? { id: this.#nextId(tag.kind), described: undefined };
    this.#streams.set(key, stream);
    if (tag.type === 'config') {
      const isRepeated = stream.described?.config && tag.payload.equals(stream.described.config);
      if (isRepeated && stream.described?.codec === tag.codec) return;
      stream.described = this.#describe(stream.id, tag, tag.payload);
      return;
    }
    if (stream.described?.codec !== tag.codec) {
      if (needConfig.has(tag.codec)) return;
      stream.described = this.#describe(stream.id, tag, undefined);
    }
    const dtsUs = timestampMs * 1_000 + Math.floor(tag.offsetNs / 1_000);
    const compositionMs = tag.kind === 'video' ? tag.compositionMs : 0;
    this.#sink.deliver({
      kind: 'access_unit',
      streamId: stream.id,
      ptsUs: dtsUs + compositionMs * 1_000,
      dtsUs,
      isKey: tag.kind === 'audio' || tag.isKey,
      data: tag.payload,
    });
  }

  #nextId(kind: 'audio' | 'video'): number {
    const known = [...this.#streams.keys()].filter((key) => key.startsWith(kind)).length;
    return 2 * known + (kind === 'audio' ? 1 : 0);
  }

  #describe(id: number, tag: FlvVideoTag | FlvAudioTag, config: Buffer | undefined): SourceStream {
    const common = { id, codec: tag.codec, config, framing: framingOf(tag.codec, config) };
    const stream: SourceStream =
      tag.kind === 'audio'
        ? { ...common, kind: 'audio', sampleRateHz: tag.sampleRateHz, channels: tag.channels }
        : {
            ...common,
            kind: 'video',
            width: numberOf(this.#metadata.width),
            height: numberOf(this.#metadata.height),
            framerateHz: numberOf(this.#metadata.framerate),
          };
    this.#sink.describe(stream);
    return stream;
  }
}

/** @throws GatewayError `invalid_request` for an avcC or hvcC without its fixed part */
function framingOf(codec: string, config: Buffer | undefined): StreamFraming {
  // ISO/IEC 14496-15 §5.3.3.1.2 and §8.3.3.1.2: the length of lengths lies in the low two bits, less one.
  const at = codec === 'h264' ? 4 : codec === 'h265' ? 21 : undefined;
  if (at === undefined) return { kind: 'bare' };
  const lengthSize = ((config?.[at] ?? Number.NaN) & 0x03) + 1;
  if (!config || config.length <= at || lengthSize === 3) {
    throw new GatewayError('invalid_request', `A broken ${codec} configuration.`);
  }
  return { kind: 'length_prefixed', lengthSize: lengthSize as 1 | 2 | 4 };
}

/** The codecs of FLV 10.1, which every server knows; the rest needs one that announces their fourcc. */
export const legacyCodecs: readonly string[] = ['h264', 'aac', 'mp3', 'pcma', 'pcmu'];
const videoCodecs: readonly string[] = ['h264', 'h265', 'av1', 'vp8', 'vp9'];
const audioCodecs: readonly string[] = ['aac', 'mp3', 'opus', 'flac', 'ac3', 'eac3', 'pcma', 'pcmu'];

/** @throws GatewayError `unsupported_media_type` for streams that RTMP cannot carry, or not in this framing */
export function assertCarried(stream: SourceStream): void {
  const { kind, codec, framing } = stream;
  const isKnown = (kind === 'video' ? videoCodecs : audioCodecs).includes(codec);
  const wanted = codec === 'h264' || codec === 'h265' ? 'length_prefixed' : 'bare';
  if (isKnown && framing.kind === wanted && !(needConfig.has(codec) && !stream.config)) return;
  throw new GatewayError('unsupported_media_type', `RTMP cannot carry ${codec} as ${framing.kind}.`);
}

/** The sequence header of a stream; undefined for codecs without one. */
export function configMessage(stream: SourceStream, streamId: number, timestampMs: number): RtmpMessage | undefined {
  if (!stream.config) return undefined;
  return tagMessage(stream, 'config', { isKey: true, compositionMs: 0, data: stream.config }, streamId, timestampMs);
}

/** @param originUs decoding time that becomes timestamp 0; earlier units are sent as 0 too */
export function frameMessage(
  stream: SourceStream,
  unit: Extract<SourceUnit, { kind: 'access_unit' }>,
  streamId: number,
  originUs: number,
): RtmpMessage {
  const { isKey, data } = unit;
  const timestampMs = Math.max(0, Math.round((unit.dtsUs - originUs) / 1_000));
  // From the rounded sum, so that equal distances stay equal.
  const compositionMs = Math.round((unit.ptsUs - originUs) / 1_000) - timestampMs;
  const fitting = Math.max(-0x800000, Math.min(0x7fffff, compositionMs));
  return tagMessage(stream, 'frame', { isKey, compositionMs: fitting, data }, streamId, timestampMs);
}

function tagMessage(
  stream: SourceStream,
  type: 'config' | 'frame',
  content: { isKey: boolean; compositionMs: number; data: Uint8Array },
  streamId: number,
  timestampMs: number,
): RtmpMessage {
  const { isKey, compositionMs, data } = content;
  const payload = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const isVideo = stream.kind === 'video';
  const body = isVideo
    ? buildVideoTag({ codec: stream.codec as FlvVideoCodec, type, isKey, compositionMs, payload })
    : buildAudioTag({ codec: stream.codec as FlvAudioCodec, type, payload });
  return {
    chunkStreamId: isVideo ? chunkStream.video : chunkStream.audio,
    type: isVideo ? messageType.video : messageType.audio,
    streamId,
    timestamp: timestampMs % 2 ** 32,
    payload: Buffer.concat(body),
  };
}
