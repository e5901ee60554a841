// Owns: an encoder of FFmpeg in use.
import { AV_PICTURE_TYPE_I, AV_PICTURE_TYPE_NONE, AV_PKT_FLAG_KEY } from 'node-av/constants';
import type { EncoderCandidate } from './encoder-candidates.ts';
import { EncoderInput } from './encoder-input.ts';
import { AvError, assertOk, av, isDrained, openCodec, openCodecBeside } from './library.ts';
import type { Picture } from './picture.ts';
import { type Box, withVideoHint } from './video-hint.ts';

export interface LibraryEncoderOptions {
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

export class LibraryEncoder implements Disposable {
  readonly #context = new av.CodecContext();
  readonly #input: EncoderInput;
  readonly #packet = new av.Packet();
  readonly #candidate: EncoderCandidate;

  /** @throws AvError */
  static open(codec: av.Codec, candidate: EncoderCandidate, options: LibraryEncoderOptions): LibraryEncoder {
    const encoder = new LibraryEncoder(candidate, options);
    try {
      encoder.#prepare(codec, options);
      openCodec(encoder.#context, codec, candidate.options);
      return encoder;
    } catch (error) {
      encoder[Symbol.dispose]();
      throw error;
    }
  }

  /** On a thread beside this one: libvpx takes tens of milliseconds. @throws AvError */
  static async openBeside(
    codec: av.Codec,
    candidate: EncoderCandidate,
    options: LibraryEncoderOptions,
  ): Promise<LibraryEncoder> {
    const encoder = new LibraryEncoder(candidate, options);
    try {
      encoder.#prepare(codec, options);
      await openCodecBeside(encoder.#context, codec, candidate.options);
      return encoder;
    } catch (error) {
      encoder[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(candidate: EncoderCandidate, options: LibraryEncoderOptions) {
    this.#candidate = candidate;
    this.#input = new EncoderInput(candidate.takes, options.width, options.height);
  }

  /** @returns whether it follows; else it must be opened anew */
  setBitrate(bitrateBps: number): boolean {
    const follows = this.#candidate.name === 'libx264';
    if (follows) applyBitrate(this.#context, bitrateBps);
    return follows;
  }

  /** @throws AvError */
  encode(
    picture: Picture,
    ptsUs: bigint,
    isKey: boolean,
    changed: readonly Box[] | undefined,
    onUnit: (unit: EncodedUnit) => void,
  ): void {
    this.#input.give(picture, (given) => {
      const frame = given.prepareForEncoding(ptsUs, isKey ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE);
      const send = () => this.#context.sendFrameSync(frame);
      const { takesHints } = this.#candidate;
      assertOk(changed && takesHints ? withVideoHint(frame, changed, send) : send(), 'encoding');
    });
    this.#receive(onUnit);
  }

  [Symbol.dispose](): void {
    this.#context.freeContext();
    this.#input[Symbol.dispose]();
    this.#packet.free();
  }

  /** All but opening it. */
  #prepare(codec: av.Codec, options: LibraryEncoderOptions): void {
    const context = this.#context;
    context.allocContext3(codec);
    context.width = options.width;
    context.height = options.height;
    context.timeBase = new av.Rational(1, 1_000_000);
    context.framerate = new av.Rational(Math.max(1, Math.round(options.framerateHz)), 1);
    context.gopSize = endlessGop;
    context.maxBFrames = 0;
    context.threadCount = options.threads ?? 1;
    this.#input.prepare(context);
    applyBitrate(context, options.bitrateBps);
    // With all three alike libvpx keeps the rate; otherwise it spends half as much again on VP9, and thrice on its first second.
    if (codec.name?.startsWith('libvpx')) context.rcMinRate = BigInt(Math.round(options.bitrateBps));
    this.#packet.alloc();
  }

  #receive(onUnit: (unit: EncodedUnit) => void): void {
    for (;;) {
      const code = this.#context.receivePacketSync(this.#packet);
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
}

/** Half a second of buffer: a key frame may be larger than its share, a scene change may not flood a viewer. */
function applyBitrate(context: av.CodecContext, bitrateBps: number): void {
  context.bitRate = BigInt(Math.round(bitrateBps));
  context.rcMaxRate = BigInt(Math.round(bitrateBps));
  context.rcBufferSize = Math.round(bitrateBps / 2);
}
