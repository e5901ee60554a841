// Owns: a video encoder context for real time: no look-ahead, no B-frames, key frames on demand.
import { AV_PICTURE_TYPE_I, AV_PICTURE_TYPE_NONE, AV_PIX_FMT_YUV420P, AV_PKT_FLAG_KEY } from 'node-av/constants';
import {
  type EncodedCodec,
  type EncoderCandidate,
  type EncoderChoice,
  encoderCandidates,
} from './encoder-candidates.ts';
import { EncoderInput } from './encoder-input.ts';
import { AvError, assertOk, av, findEncoder, isDrained, NativeOwner, openCodec } from './library.ts';
import { isPictureSide, type Picture } from './picture.ts';
import { type Box, withVideoHint } from './video-hint.ts';

export interface VideoEncoderOptions extends EncoderChoice {
  readonly width: number;
  readonly height: number;
  readonly framerateHz: number;
  readonly bitrateBps: number;
  readonly threads?: number | undefined;
}

export interface EncodedUnit {
  /** A copy: the receiver's own. H264 as Annex B with parameter sets before each key frame. */
  readonly data: Buffer;
  readonly ptsUs: number;
  readonly isKey: boolean;
}

/** Key frames come when asked for: an interval of its own would only cost bits. */
const endlessGop = 100_000;

export class VideoEncoder extends NativeOwner {
  readonly codec: EncodedCodec;
  readonly width: number;
  readonly height: number;
  readonly #options: VideoEncoderOptions;
  #opened: OpenedEncoder;
  readonly #packet = new av.Packet();
  #lastPts = -1n;
  #bitrateBps: number;
  #mustKey = false;

  /** @throws AvError */
  constructor(options: VideoEncoderOptions) {
    super();
    if (!isPictureSide(options.width) || !isPictureSide(options.height) || options.width % 2 || options.height % 2) {
      throw new AvError('video encoder', 0, `cannot encode ${options.width}x${options.height}`);
    }
    this.#options = options;
    this.codec = options.codec;
    this.width = options.width;
    this.height = options.height;
    this.#bitrateBps = options.bitrateBps;
    this.#opened = openFirst(options, options.bitrateBps);
    this.#packet.alloc();
  }

  /** FFmpeg's name of the encoder in use. */
  get encoderName(): string {
    return this.#opened.name;
  }

  /** Why it is software although hardware was asked for, for people. */
  get softwareReason(): string | undefined {
    return this.#opened.problem;
  }

  get bitrateBps(): number {
    return this.#bitrateBps;
  }

  /** x264 follows at once; libvpx is opened anew, which costs a key frame and tens of milliseconds. */
  setBitrate(bitrateBps: number): void {
    this.exclusively(() => {
      this.#bitrateBps = bitrateBps;
      if (this.encoderName === 'libx264') {
        applyBitrate(this.#opened.context, bitrateBps);
        return;
      }
      const opened = openFirst(this.#options, bitrateBps);
      closeEncoder(this.#opened);
      this.#opened = opened;
    });
  }

  /** The next picture becomes a key frame. */
  requestKeyFrame(): void {
    this.#mustKey = true;
  }

  /**
   * @param picture I420 of the encoder's own size: a libvpx given another size reads past its end
   * @param ptsUs later than that of the last picture; what is not gets the next possible time
   * @param changed what is not as in the last picture; all of it when absent
   */
  encode(picture: Picture, ptsUs: number, onUnit: (unit: EncodedUnit) => void, changed?: readonly Box[]): void {
    this.exclusively(() => {
      if (picture.width !== this.width || picture.height !== this.height || picture.format !== AV_PIX_FMT_YUV420P) {
        throw new AvError(
          'video encoder',
          0,
          `got ${picture.width}x${picture.height} for ${this.width}x${this.height}`,
        );
      }
      const wanted = BigInt(Math.round(ptsUs));
      const pts = wanted > this.#lastPts ? wanted : this.#lastPts + 1n;
      this.#lastPts = pts;
      const type = this.#mustKey ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
      this.#mustKey = false;
      const { input, context, takesHints } = this.#opened;
      input.give(picture, (given) => {
        const frame = given.prepareForEncoding(pts, type);
        const send = () => context.sendFrameSync(frame);
        assertOk(changed && takesHints ? withVideoHint(frame, changed, send) : send(), 'encoding');
      });
      this.#receive(onUnit);
    });
  }

  #receive(onUnit: (unit: EncodedUnit) => void): void {
    for (;;) {
      const code = this.#opened.context.receivePacketSync(this.#packet);
      if (code < 0) {
        if (!isDrained(code)) throw new AvError('encoding', code);
        return;
      }
      const unit = {
        data: Buffer.from(this.#packet.data ?? []),
        ptsUs: Number(this.#packet.pts),
        isKey: (this.#packet.flags & AV_PKT_FLAG_KEY) !== 0,
      };
      this.#packet.unref();
      onUnit(unit);
    }
  }

  protected override free(): void {
    closeEncoder(this.#opened);
    this.#packet.free();
  }
}

interface OpenedEncoder {
  readonly context: av.CodecContext;
  readonly input: EncoderInput;
  readonly name: string;
  readonly takesHints: boolean;
  /** Of the candidate before, where it was not the first. */
  readonly problem: string | undefined;
}

function openFirst(options: VideoEncoderOptions, bitrateBps: number): OpenedEncoder {
  let lastError: unknown = new AvError('video encoder', 0, `there is none for ${options.codec}`);
  const { hardware, codec: wanted } = options;
  let problem = hardware && wanted !== 'h264' ? `${hardware} is used for H264 alone` : undefined;
  for (const candidate of encoderCandidates(options)) {
    const codec = findEncoder(candidate.name);
    if (!codec) {
      problem = `FFmpeg here has no ${candidate.name}`;
      continue;
    }
    try {
      const { name, takesHints = false } = candidate;
      return { ...openEncoder(codec, candidate, options, bitrateBps), name, takesHints, problem };
    } catch (error) {
      lastError = error;
      const detail = error instanceof AvError ? ` (${error.message})` : '';
      problem = `${candidate.name} cannot be opened on this machine${detail}`;
    }
  }
  throw lastError;
}

function openEncoder(
  codec: av.Codec,
  { takes, options: own }: EncoderCandidate,
  options: VideoEncoderOptions,
  bitrateBps: number,
): Pick<OpenedEncoder, 'context' | 'input'> {
  const input = new EncoderInput(takes, options.width, options.height);
  const context = new av.CodecContext();
  try {
    context.allocContext3(codec);
    context.width = options.width;
    context.height = options.height;
    context.timeBase = new av.Rational(1, 1_000_000);
    context.framerate = new av.Rational(Math.max(1, Math.round(options.framerateHz)), 1);
    context.gopSize = endlessGop;
    context.maxBFrames = 0;
    context.threadCount = options.threads ?? 1;
    input.prepare(context);
    applyBitrate(context, bitrateBps);
    openCodec(context, codec, own);
    return { context, input };
  } catch (error) {
    context.freeContext();
    input[Symbol.dispose]();
    throw error;
  }
}

function closeEncoder({ context, input }: OpenedEncoder): void {
  context.freeContext();
  input[Symbol.dispose]();
}

/** Half a second of buffer: a key frame may be larger than its share, a scene change may not flood a viewer. */
function applyBitrate(context: av.CodecContext, bitrateBps: number): void {
  context.bitRate = BigInt(Math.round(bitrateBps));
  context.rcMaxRate = BigInt(Math.round(bitrateBps));
  context.rcBufferSize = Math.round(bitrateBps / 2);
}
