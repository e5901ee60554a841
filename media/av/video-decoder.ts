// Owns: a video decoder context.
import { AV_CODEC_FLAG_LOW_DELAY, AV_PIX_FMT_PAL8, AVERROR_EAGAIN } from 'node-av/constants';
import type { VideoCodec } from '#core/media-source.ts';
import { av, findDecoder, isDrained, NativeOwner, openCodec } from './library.ts';
import { isPictureSide, Picture, type PictureSize, sizeOf } from './picture.ts';

const decoderNames: Readonly<Record<VideoCodec, readonly string[]>> = {
  h264: ['h264'],
  h265: ['hevc'],
  vp8: ['vp8'],
  vp9: ['vp9'],
  av1: ['libdav1d'],
  mpeg4: ['mpeg4'],
  // Of MPEG-1 too.
  mpeg2: ['mpeg2video'],
  mjpeg: ['mjpeg'],
  h263: ['flv'],
  vp6: ['vp6f'],
};

/** Largest access unit that is taken; a 4K intra picture is some megabytes. */
const maxUnitBytes = 16 * 1024 * 1024;

export interface VideoDecoderOptions {
  readonly codec: VideoCodec;
  /** Decoder configuration record; without it H264 and H265 are taken as Annex B. */
  readonly config?: Uint8Array | undefined;
  /** Frames come out as they go in. Off for streams with B-frames, which would come out of order or not at all. */
  readonly hasLowDelay?: boolean | undefined;
  readonly threads?: number | undefined;
  /** Units of larger pictures are broken ones: a decoder keeps up to sixteen. */
  readonly maxPixels?: number | undefined;
}

/**
 * @param picture lent for the length of the call
 * @param isLast of those that come of the same unit: spatial layers are one picture after the other
 */
type OnPicture = (picture: Picture, ptsUs: number, isLast: boolean) => void;

export class VideoDecoder extends NativeOwner {
  readonly codec: VideoCodec;
  readonly #context: av.CodecContext;
  readonly #packet = new av.Packet();
  #frame = new av.Frame();
  /** For the one behind it, so that the last of a unit is known to be that. */
  #spare = new av.Frame();
  #corruptUnits = 0;

  /** @throws AvError when the configuration is not one */
  constructor(options: VideoDecoderOptions) {
    super();
    this.codec = options.codec;
    const codec = findDecoder(...decoderNames[options.codec]);
    this.#context = new av.CodecContext();
    this.#context.allocContext3(codec);
    this.#packet.alloc();
    this.#frame.alloc();
    this.#spare.alloc();
    try {
      this.#context.pktTimebase = new av.Rational(1, 1_000_000);
      this.#context.threadCount = options.threads ?? 1;
      if (options.hasLowDelay ?? true) this.#context.setFlags(AV_CODEC_FLAG_LOW_DELAY);
      if (options.config && options.config.length > 0) this.#context.extraData = Buffer.from(options.config);
      const { maxPixels } = options;
      openCodec(this.#context, codec, maxPixels === undefined ? {} : { max_pixels: String(maxPixels) });
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** Units that it could not make anything of. */
  get corruptUnits(): number {
    return this.#corruptUnits;
  }

  /**
   * @param data one access unit; copied
   * @param onPicture gets pictures in order of presentation
   * @returns false when the unit was broken; the decoder goes on with the next
   */
  decode(data: Uint8Array, ptsUs: number, onPicture: OnPicture): boolean {
    return this.exclusively(() => {
      // An empty packet means "drain" and would end the decoder.
      if (data.length === 0 || data.length > maxUnitBytes) {
        this.#corruptUnits += 1;
        return false;
      }
      this.#packet.data = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      const pts = BigInt(Math.round(ptsUs));
      this.#packet.pts = pts;
      this.#packet.dts = pts;
      let code = this.#context.sendPacketSync(this.#packet);
      if (code === AVERROR_EAGAIN) {
        this.#receive(onPicture);
        code = this.#context.sendPacketSync(this.#packet);
      }
      this.#packet.unref();
      this.#receive(onPicture);
      if (code < 0) this.#corruptUnits += 1;
      return code >= 0;
    });
  }

  /** Gets out what it holds back; afterwards it begins anew. */
  flush(onPicture: OnPicture): void {
    this.exclusively(() => {
      this.#context.sendPacketSync(null);
      this.#receive(onPicture);
      this.#context.flushBuffers();
    });
  }

  #receive(onPicture: OnPicture): void {
    for (let size = this.#next(this.#frame); size; ) {
      const behind = this.#next(this.#spare);
      const frame = this.#frame;
      try {
        Picture.lend(frame, (picture) => onPicture(picture, Number(frame.bestEffortTimestamp), !behind), size);
      } finally {
        frame.unref();
      }
      this.#frame = this.#spare;
      this.#spare = frame;
      size = behind;
    }
  }

  /** @returns what is in the frame now; undefined when there are no more */
  #next(frame: av.Frame): PictureSize | undefined {
    for (;;) {
      const code = this.#context.receiveFrameSync(frame);
      if (code < 0) {
        if (!isDrained(code)) this.#corruptUnits += 1;
        return undefined;
      }
      // Damaged headers say any size; what no picture has is not shown to anybody. Nor are palettes (JPEG-LS has them), which
      // swscale reads from behind the planes.
      const size = sizeOf(frame);
      if (isPictureSide(size.width) && isPictureSide(size.height) && size.format !== AV_PIX_FMT_PAL8) return size;
      frame.unref();
      this.#corruptUnits += 1;
    }
  }

  protected override free(): void {
    this.#context.freeContext();
    this.#packet.free();
    this.#frame.free();
    this.#spare.free();
  }
}
