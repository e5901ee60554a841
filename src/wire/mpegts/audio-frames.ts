// Owns: cutting an audio byte stream into its frames: their length, duration and what a decoder needs to know of them.
// May import: core, its neighbours.
import type { AudioCodec } from '#core/media-source.ts';
import { parseAdts } from './adts.ts';
import { parseDolby } from './dolby.ts';
import { LatmReader } from './latm.ts';
import { parseMpegAudio } from './mpeg-audio.ts';
import { parseOpusUnit } from './opus-unit.ts';
import type { AudioSyntax } from './stream-types.ts';

export interface AudioFormat {
  readonly codec: AudioCodec;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** AudioSpecificConfig of AAC. */
  readonly config?: Buffer | undefined;
}

export interface FrameHeader {
  readonly format: AudioFormat;
  /** From its first byte to the next frame. */
  readonly frameBytes: number;
  readonly durationUs: number;
  /** What of it is for the decoder; undefined where nothing is. Bytes from the beginning of the frame. */
  readonly payload: { readonly from: number; readonly to: number } | undefined;
}

/** @returns the header at `at`; `more` when it is cut off; undefined when there is none */
export type ParseHeader = (bytes: Buffer, at: number) => FrameHeader | 'more' | undefined;

export interface AudioFrame {
  readonly format: AudioFormat;
  readonly data: Buffer;
  readonly ptsUs: number;
}

/** The largest frame of any of these codecs has 8 kB; without one in so many bytes there is none. */
const maxHeldBytes = 64 * 1024;

/** One stream's frames. Time stamps belong to the first frame that begins in the bytes they come with. */
export class AudioFramer {
  readonly #parse: ParseHeader;
  #rest: Buffer = Buffer.alloc(0);
  #nextUs: number | undefined;
  /** Bytes that were no frame. */
  strayBytes = 0;

  constructor(syntax: AudioSyntax, channels?: number) {
    this.#parse = parserOf(syntax, channels);
  }

  /** @param ptsUs undefined goes on from the last frame */
  push(data: Buffer, ptsUs: number | undefined, onFrame: (frame: AudioFrame) => void): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    const newAt = this.#rest.length;
    let pending = ptsUs;
    let at = 0;
    while (at < bytes.length) {
      const header = this.#parse(bytes, at);
      if (header === 'more') break;
      if (!header) {
        at += 1;
        this.strayBytes += 1;
        continue;
      }
      if (at + header.frameBytes > bytes.length) break;
      if (at >= newAt && pending !== undefined) {
        this.#nextUs = pending;
        pending = undefined;
      }
      this.#emit(header, bytes, at, onFrame);
      at += header.frameBytes;
    }
    const rest = bytes.length - at > maxHeldBytes ? Buffer.alloc(0) : bytes.subarray(at);
    this.#rest = Buffer.from(rest);
    // The frame that has begun is the one that the time stamp means.
    if (pending !== undefined && at >= newAt) this.#nextUs = pending;
  }

  reset(): void {
    this.#rest = Buffer.alloc(0);
    this.#nextUs = undefined;
  }

  #emit(header: FrameHeader, bytes: Buffer, at: number, onFrame: (frame: AudioFrame) => void): void {
    const { format, payload, durationUs } = header;
    if (this.#nextUs === undefined) return; // nothing can be done with a sound of no time
    if (payload && payload.to > payload.from) {
      onFrame({ format, data: bytes.subarray(at + payload.from, at + payload.to), ptsUs: this.#nextUs });
    }
    this.#nextUs += durationUs;
  }
}

function parserOf(syntax: AudioSyntax, channels = 2): ParseHeader {
  if (syntax === 'adts') return parseAdts;
  if (syntax === 'mpeg_audio') return parseMpegAudio;
  if (syntax === 'ac3') return parseDolby;
  if (syntax === 'opus') return (bytes, at) => parseOpusUnit(bytes, at, channels);
  const latm = new LatmReader();
  return (bytes, at) => latm.parse(bytes, at);
}
