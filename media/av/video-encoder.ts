// Owns: a video encoder for real time: no look-ahead, no B-frames, key frames on demand.
import { AV_PIX_FMT_YUV420P } from 'node-av/constants';
import { DirectH264 } from './direct-h264.ts';
import { type EncodedCodec, type EncoderChoice, encoderCandidates } from './encoder-candidates.ts';
import { AvError, findEncoder, NativeOwner } from './library.ts';
import { type EncodedUnit, LibraryEncoder } from './library-encoder.ts';
import { isPictureSide, type Picture } from './picture.ts';
import type { Box } from './video-hint.ts';

export type { EncodedUnit } from './library-encoder.ts';

export interface VideoEncoderOptions extends EncoderChoice {
  readonly width: number;
  readonly height: number;
  readonly framerateHz: number;
  readonly bitrateBps: number;
  readonly threads?: number | undefined;
}

export class VideoEncoder extends NativeOwner {
  readonly codec: EncodedCodec;
  readonly width: number;
  readonly height: number;
  readonly #options: VideoEncoderOptions;
  #opened: OpenedEncoder;
  #lastPts = -1n;
  #bitrateBps: number;
  #mustKey = false;
  #isReopening = false;

  /** For who has others to serve meanwhile: what takes long is done on a thread beside this one. @throws AvError */
  static async open(options: VideoEncoderOptions): Promise<VideoEncoder> {
    assertSize(options);
    return new VideoEncoder(options, await openBeside(options));
  }

  /** @throws AvError */
  constructor(options: VideoEncoderOptions, opened?: OpenedEncoder) {
    super();
    assertSize(options);
    this.#options = options;
    this.codec = options.codec;
    this.width = options.width;
    this.height = options.height;
    this.#bitrateBps = options.bitrateBps;
    this.#opened = opened ?? openFirst(options);
  }

  /** FFmpeg's name of the encoder in use, or what is said of one that is not FFmpeg's. */
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

  /** x264 follows at once; libvpx is opened anew, which costs a key frame: beside, and pictures go on as they were until then. */
  setBitrate(bitrateBps: number): void {
    this.exclusively(() => {
      this.#bitrateBps = bitrateBps;
      if (!this.#opened.encoder.setBitrate(bitrateBps) && !this.#isReopening) void this.#reopenBeside();
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
      const isKey = this.#mustKey;
      this.#mustKey = false;
      this.#encode(picture, pts, isKey, changed, onUnit);
    });
  }

  #encode(
    picture: Picture,
    pts: bigint,
    mustKey: boolean,
    changed: readonly Box[] | undefined,
    onUnit: (unit: EncodedUnit) => void,
  ): void {
    const { encoder } = this.#opened;
    if (encoder instanceof LibraryEncoder) {
      encoder.encode(picture, pts, mustKey, changed, onUnit);
      return;
    }
    const ptsUs = Number(pts);
    const unit = encoder.encode(picture, ptsUs, mustKey, changed);
    if (unit) {
      onUnit({ ...unit, ptsUs });
      return;
    }
    this.#reopen({ ...this.#options, isDirect: false });
    this.#encode(picture, pts, true, undefined, onUnit);
  }

  #reopen(options: OpenOptions): void {
    this.#replace(openFirst({ ...options, bitrateBps: this.#bitrateBps }));
  }

  /** Until it has the bitrate that was asked for last. */
  async #reopenBeside(): Promise<void> {
    this.#isReopening = true;
    try {
      for (let openedBps = 0; openedBps !== this.#bitrateBps && !this.isDisposed; ) {
        openedBps = this.#bitrateBps;
        const opened = await openBeside({ ...this.#options, bitrateBps: openedBps });
        if (this.isDisposed) opened.encoder[Symbol.dispose]();
        else this.#replace(opened);
      }
    } catch {
      // It could be opened before and cannot any more: pictures of the past bitrate are better than none.
    } finally {
      this.#isReopening = false;
    }
  }

  #replace(opened: OpenedEncoder): void {
    this.#opened.encoder[Symbol.dispose]();
    this.#opened = opened;
  }

  protected override free(): void {
    this.#opened.encoder[Symbol.dispose]();
  }
}

function assertSize({ width, height }: VideoEncoderOptions): void {
  if (!isPictureSide(width) || !isPictureSide(height) || width % 2 || height % 2) {
    throw new AvError('video encoder', 0, `cannot encode ${width}x${height}`);
  }
}

interface OpenOptions extends VideoEncoderOptions {
  /** Without FFmpeg between, where there is such a way; unless it has failed. */
  readonly isDirect?: boolean;
}

interface OpenedEncoder {
  readonly encoder: LibraryEncoder | DirectH264;
  readonly name: string;
  /** Of the candidate before, where it was not the first. */
  readonly problem: string | undefined;
}

/** x264 is there at once, and hardware has its threads of its own; all others have one way to be had. */
async function openBeside(options: OpenOptions): Promise<OpenedEncoder> {
  const [candidate] = encoderCandidates(options);
  const codec = candidate && options.codec !== 'h264' ? findEncoder(candidate.name) : undefined;
  if (!candidate || !codec) return openFirst(options);
  const encoder = await LibraryEncoder.openBeside(codec, candidate, options);
  return { encoder, name: candidate.name, problem: undefined };
}

function openFirst(options: OpenOptions): OpenedEncoder {
  let lastError: unknown = new AvError('video encoder', 0, `there is none for ${options.codec}`);
  const { hardware, codec: wanted, isDirect = true } = options;
  let problem = hardware && wanted !== 'h264' ? `${hardware} is used for H264 alone` : undefined;
  for (const candidate of encoderCandidates(options)) {
    const { name } = candidate;
    const isPossible = isDirect && candidate.canBeDirect && (options.threads ?? 1) === 1;
    const direct = isPossible ? DirectH264.open(options) : undefined;
    if (direct) return { encoder: direct, name: direct.name, problem };
    const codec = findEncoder(name);
    if (!codec) {
      problem = `FFmpeg here has no ${name}`;
      continue;
    }
    try {
      return { encoder: LibraryEncoder.open(codec, candidate, options), name, problem };
    } catch (error) {
      lastError = error;
      const detail = error instanceof AvError ? ` (${error.message})` : '';
      problem = `${name} cannot be opened on this machine${detail}`;
    }
  }
  throw lastError;
}
