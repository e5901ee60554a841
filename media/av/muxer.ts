// Owns: FFmpeg's muxers, for files that grow: what is written so far is a file that plays, at every flush.
import {
  AV_CODEC_ID_AAC,
  AV_CODEC_ID_AV1,
  AV_CODEC_ID_H264,
  AV_CODEC_ID_HEVC,
  AV_CODEC_ID_OPUS,
  AV_CODEC_ID_VP8,
  AV_CODEC_ID_VP9,
  AV_PKT_FLAG_KEY,
  type AVCodecID,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
} from 'node-av/constants';
import { AvError, assertOk, av, NativeOwner } from './library.ts';
import { defaultLayout } from './resampler.ts';

export type MuxerFormat = 'mp4' | 'matroska' | 'webm' | 'ogg';

/** One stream as the muxer needs to know it before its first packet. */
export interface MuxedStream {
  readonly codec: 'h264' | 'h265' | 'vp8' | 'vp9' | 'av1' | 'opus' | 'aac';
  /** H264, H265: parameter sets as Annex B, so that packets may be Annex B too. The others: as the codec has it. */
  readonly extradata?: Uint8Array | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly sampleRateHz?: number | undefined;
  readonly channels?: number | undefined;
}

export interface MuxedPacket {
  /** Place of its stream in the streams given. */
  readonly stream: number;
  readonly ptsUs: number;
  readonly dtsUs: number;
  readonly durationUs: number;
  readonly isKey: boolean;
  readonly data: Uint8Array;
}

/** By our names. */
export const codecIds: Readonly<Record<MuxedStream['codec'], AVCodecID>> = {
  h264: AV_CODEC_ID_H264,
  h265: AV_CODEC_ID_HEVC,
  vp8: AV_CODEC_ID_VP8,
  vp9: AV_CODEC_ID_VP9,
  av1: AV_CODEC_ID_AV1,
  opus: AV_CODEC_ID_OPUS,
  aac: AV_CODEC_ID_AAC,
};

/** Fragments and clusters end where `flush()` is called; nothing is ever written back, so the output needs no seeking. */
const options: Readonly<Record<MuxerFormat, Readonly<Record<string, string>>>> = {
  mp4: { movflags: 'frag_custom+empty_moov+default_base_moof', use_editlist: '0' },
  matroska: { live: '1' },
  webm: { live: '1' },
  ogg: {},
};

const ioBufferBytes = 64 * 1024;
/** Larger than any picture of a room; beyond it the data is no picture. */
const maxPacketBytes = 32 * 1024 * 1024;

export class FileMuxer extends NativeOwner {
  readonly #format = new av.FormatContext();
  readonly #io = new av.IOContext();
  readonly #packet = new av.Packet();
  /** Units of one second in each stream, as the muxer chose them. */
  readonly #ticksPerS: readonly number[];
  readonly #lastDts: bigint[] = [];

  /**
   * @param write gets the file's bytes in their order, during calls; copies are its own
   * @throws AvError when the format cannot hold such streams
   */
  constructor(format: MuxerFormat, streams: readonly MuxedStream[], write: (bytes: Buffer) => void) {
    super();
    this.#packet.alloc();
    try {
      assertOk(this.#format.allocOutputContext2(null, format, null), 'opening the muxer');
      this.#io.allocContextWithCallbacks(
        ...([ioBufferBytes, 1, null] as const),
        (bytes) => {
          write(Buffer.from(bytes));
          return bytes.length;
        },
        null,
      );
      this.#format.pb = this.#io;
      for (const stream of streams) this.#addStream(stream);
      using dictionary = av.Dictionary.fromObject({ ...options[format] });
      assertOk(this.#format.writeHeaderSync(dictionary), 'writing the header');
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    this.#ticksPerS = this.#format.streams.map(({ timeBase }) => timeBase.den / timeBase.num);
  }

  /** Whatever is not later than the packet before it, of its stream, gets the next possible time. */
  write({ stream, ptsUs, dtsUs, durationUs, isKey, data }: MuxedPacket): void {
    this.exclusively(() => {
      const ticksPerS = this.#ticksPerS[stream];
      if (ticksPerS === undefined || data.length === 0 || data.length > maxPacketBytes) {
        throw new AvError('writing media', 0, `a packet of ${data.length} bytes for stream ${stream}`);
      }
      const ticks = (us: number) => BigInt(Math.round((us * ticksPerS) / 1e6));
      const lastDts = this.#lastDts[stream];
      const wanted = ticks(dtsUs);
      const dts = lastDts === undefined || wanted > lastDts ? wanted : lastDts + 1n;
      this.#lastDts[stream] = dts;
      const pts = ticks(ptsUs);
      this.#packet.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      this.#packet.streamIndex = stream;
      this.#packet.dts = dts;
      this.#packet.pts = pts > dts ? pts : dts;
      this.#packet.duration = ticks(durationUs);
      this.#packet.flags = (isKey ? AV_PKT_FLAG_KEY : 0) as typeof AV_PKT_FLAG_KEY;
      const code = this.#format.writeFrameSync(this.#packet);
      this.#packet.unref();
      assertOk(code, 'writing media');
    });
  }

  /** Ends the fragment, cluster or page: what has been written until now can be played. */
  flush(): void {
    this.exclusively(() => {
      assertOk(this.#format.writeFrameSync(null), 'ending a fragment');
      this.#io.flushSync();
    });
  }

  /** The end of the file; nothing can be written after it. */
  finish(): void {
    this.exclusively(() => {
      assertOk(this.#format.writeTrailerSync(), 'ending the file');
      this.#io.flushSync();
    });
  }

  #addStream(stream: MuxedStream): void {
    const parameters = this.#format.newStream(null).codecpar;
    const isAudio = stream.codec === 'opus' || stream.codec === 'aac';
    parameters.codecType = isAudio ? AVMEDIA_TYPE_AUDIO : AVMEDIA_TYPE_VIDEO;
    parameters.codecId = codecIds[stream.codec];
    if (stream.extradata) parameters.extradata = Buffer.from(stream.extradata);
    if (isAudio) {
      parameters.sampleRate = stream.sampleRateHz ?? 48_000;
      parameters.channelLayout = defaultLayout(stream.channels === 1 ? 1 : 2);
      parameters.frameSize = stream.codec === 'aac' ? 1_024 : 960;
    } else {
      parameters.width = stream.width ?? 0;
      parameters.height = stream.height ?? 0;
    }
    const added = this.#format.streams.at(-1);
    if (added) added.timeBase = new av.Rational(1, isAudio ? (stream.sampleRateHz ?? 48_000) : 90_000);
  }

  protected override free(): void {
    // Taken out first: the context would free it a second time.
    this.#format.pb = null;
    this.#format.freeContext();
    this.#io.freeContext();
    this.#packet.free();
  }
}
