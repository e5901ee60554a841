// Owns: one video frame and how long it may be looked at.
import { AV_PICTURE_TYPE_NONE, AV_PIX_FMT_YUV420P, type AVPictureType, type AVPixelFormat } from 'node-av/constants';
import { AvError, assertOk, av } from './library.ts';

/** Dimensions that any codec here takes; what is larger is refused before memory is asked for. */
const maxPictureSide = 8_192;

export interface PictureSize {
  readonly width: number;
  readonly height: number;
  readonly format: AVPixelFormat;
}

/** Asked for once for each picture: each answer is a call out of V8. */
export function sizeOf(frame: av.Frame): PictureSize {
  return { width: frame.width, height: frame.height, format: frame.format as AVPixelFormat };
}

/**
 * A picture in I420 or whatever a decoder makes. Lent (in a decoder's callback, void afterwards) or owned (`keep()`,
 * `Picture.blank()`; the owner disposes of it). Planes are views into native memory: they die with it, so they are
 * handed out for reading at once and never kept.
 */
export class Picture implements Disposable {
  #frame: av.Frame | undefined;
  #planes: readonly Buffer[] | undefined;
  #strides: readonly number[] | undefined;
  readonly width: number;
  readonly height: number;
  readonly format: AVPixelFormat;
  readonly #isOwned: boolean;

  private constructor(frame: av.Frame, isOwned: boolean, { width, height, format }: PictureSize) {
    this.#frame = frame;
    this.#isOwned = isOwned;
    this.width = width;
    this.height = height;
    this.format = format;
  }

  /** Lets `use` look at a frame of a decoder; the picture is void when it returns. */
  static lend<T>(frame: av.Frame, use: (picture: Picture) => T, size: PictureSize = sizeOf(frame)): T {
    const picture = new Picture(frame, false, size);
    try {
      return use(picture);
    } finally {
      picture.#forgetFrame();
    }
  }

  /** I420, unless it is to be in another format, with undefined content. */
  static blank(width: number, height: number, format: AVPixelFormat = AV_PIX_FMT_YUV420P): Picture {
    if (!isPictureSide(width) || !isPictureSide(height)) {
      throw new AvError('picture', 0, `${width}x${height} is no size for a picture`);
    }
    return Picture.allocate((frame) => {
      frame.width = width;
      frame.height = height;
      frame.format = format;
      return frame.getBuffer(0);
    });
  }

  /**
   * @param fill gives an empty frame its memory
   * @returns one to be disposed of by the caller
   */
  static allocate(fill: (frame: av.Frame) => number): Picture {
    const frame = new av.Frame();
    frame.alloc();
    const code = fill(frame);
    if (code < 0) {
      frame.free();
      throw new AvError('picture', code);
    }
    return new Picture(frame, true, sizeOf(frame));
  }

  /** A picture of its own on the same memory (counted references), to be disposed of by the caller. */
  keep(): Picture {
    const clone = this.native.clone();
    if (!clone) throw new AvError('picture', 0, 'out of memory');
    return new Picture(clone, true, this);
  }

  /**
   * The same pixels in the memory that this has already, where nobody else holds it.
   * @param from of the same size and format
   */
  copyFrom(from: { readonly native: av.Frame }): void {
    this.makeWritable();
    assertOk(this.native.copy(from.native), 'copying a picture');
  }

  /** For the owners of this folder. @throws AvError after it was released */
  get native(): av.Frame {
    if (!this.#frame) throw new AvError('picture', 0, 'used after it was released');
    return this.#frame;
  }

  get isReleased(): boolean {
    return this.#frame === undefined;
  }

  /**
   * Views; with `strides` bytes from row to row. Made once: V8 counts what a view shows as memory that it could get back,
   * and looked for it ten times a second where a canvas was asked for its planes with every cell.
   */
  get planes(): readonly Buffer[] {
    const { native } = this;
    this.#planes ??= native.data ?? [];
    return this.#planes;
  }

  get strides(): readonly number[] {
    const { native } = this;
    this.#strides ??= native.linesize;
    return this.#strides;
  }

  get byteLength(): number {
    return (this.width * this.height * 3) / 2;
  }

  /** Before writing into planes: gives it memory of its own if an encoder or a clone still holds this. */
  makeWritable(): void {
    if (this.native.isWritable) return;
    this.#planes = undefined;
    this.#strides = undefined;
    assertOk(this.native.makeWritable(), 'making a picture writable');
  }

  /** Forgets what the decoder said of it (an encoder would take the picture type as an order). */
  prepareForEncoding(pts: bigint, forcedType: AVPictureType = AV_PICTURE_TYPE_NONE): av.Frame {
    const frame = this.native;
    frame.pts = pts;
    frame.pictType = forcedType;
    return frame;
  }

  [Symbol.dispose](): void {
    const frame = this.#frame;
    this.#forgetFrame();
    if (this.#isOwned) frame?.free();
  }

  #forgetFrame(): void {
    this.#frame = undefined;
    this.#planes = undefined;
    this.#strides = undefined;
  }
}

export function isPictureSide(side: number): boolean {
  return Number.isInteger(side) && side >= 2 && side <= maxPictureSide;
}
