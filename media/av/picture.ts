// Owns: one video frame and how long it may be looked at.
import { AV_PICTURE_TYPE_NONE, AV_PIX_FMT_YUV420P, type AVPictureType, type AVPixelFormat } from 'node-av/constants';
import { AvError, assertOk, av } from './library.ts';

/** Dimensions that any codec here takes; what is larger is refused before memory is asked for. */
const maxPictureSide = 8_192;

/**
 * A picture in I420 or whatever a decoder makes. Lent (in a decoder's callback, void afterwards) or owned (`keep()`,
 * `Picture.blank()`; the owner disposes of it). Planes are views into native memory: they die with it, so they are
 * handed out for reading at once and never kept.
 */
export class Picture implements Disposable {
  #frame: av.Frame | undefined;
  readonly width: number;
  readonly height: number;
  readonly format: AVPixelFormat;
  readonly #isOwned: boolean;

  private constructor(frame: av.Frame, isOwned: boolean) {
    this.#frame = frame;
    this.#isOwned = isOwned;
    this.width = frame.width;
    this.height = frame.height;
    this.format = frame.format as AVPixelFormat;
  }

  /** Lets `use` look at a frame of a decoder; the picture is void when it returns. */
  static lend<T>(frame: av.Frame, use: (picture: Picture) => T): T {
    const picture = new Picture(frame, false);
    try {
      return use(picture);
    } finally {
      picture.#frame = undefined;
    }
  }

  /** I420 with undefined content. */
  static blank(width: number, height: number): Picture {
    if (!isPictureSide(width) || !isPictureSide(height)) {
      throw new AvError('picture', 0, `${width}x${height} is no size for a picture`);
    }
    const frame = new av.Frame();
    frame.alloc();
    frame.width = width;
    frame.height = height;
    frame.format = AV_PIX_FMT_YUV420P;
    const code = frame.getBuffer(0);
    if (code < 0) {
      frame.free();
      throw new AvError('picture', code);
    }
    return new Picture(frame, true);
  }

  /** A picture of its own on the same memory (counted references), to be disposed of by the caller. */
  keep(): Picture {
    const clone = this.native.clone();
    if (!clone) throw new AvError('picture', 0, 'out of memory');
    return new Picture(clone, true);
  }

  /** For the owners of this folder. @throws AvError after it was released */
  get native(): av.Frame {
    if (!this.#frame) throw new AvError('picture', 0, 'used after it was released');
    return this.#frame;
  }

  get isReleased(): boolean {
    return this.#frame === undefined;
  }

  /** Views; with `strides` bytes from row to row. */
  get planes(): readonly Buffer[] {
    return this.native.data ?? [];
  }

  get strides(): readonly number[] {
    return this.native.linesize;
  }

  get byteLength(): number {
    return (this.width * this.height * 3) / 2;
  }

  /** Before writing into planes: gives it memory of its own if an encoder or a clone still holds this. */
  makeWritable(): void {
    if (!this.native.isWritable) assertOk(this.native.makeWritable(), 'making a picture writable');
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
    this.#frame = undefined;
    if (this.#isOwned) frame?.free();
  }
}

export function isPictureSide(side: number): boolean {
  return Number.isInteger(side) && side >= 2 && side <= maxPictureSide;
}
