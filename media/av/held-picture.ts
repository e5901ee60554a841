// Owns: the latest picture of a decoder, held for as long as nothing newer comes.
import type { AVPixelFormat } from 'node-av/constants';
import { assertOk, av } from './library.ts';
import { Picture } from './picture.ts';

/**
 * In the decoder's own memory, by a counted reference. Its planes are those of a copy in memory that stays, made for who asks: each
 * picture of a decoder has others, and V8 counts what Buffers show as memory that it could get back. It looked for it once a second in
 * a 2x2 view.
 */
export class HeldPicture implements Disposable {
  readonly #frame = new av.Frame();
  #copy: Picture | undefined;
  #isCopied = false;
  #width = 0;
  #height = 0;
  #format: AVPixelFormat;

  constructor(picture: Picture) {
    this.#frame.alloc();
    this.#format = picture.format;
    this.hold(picture);
  }

  /** Another instead of the last, of whatever size. */
  hold(picture: Picture): void {
    this.#frame.unref();
    assertOk(this.#frame.ref(picture.native), 'holding a picture');
    this.#isCopied = false;
    this.#width = picture.width;
    this.#height = picture.height;
    this.#format = picture.format;
  }

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  get format(): AVPixelFormat {
    return this.#format;
  }

  /** For the owners of this folder. */
  get native(): av.Frame {
    return this.#frame;
  }

  get planes(): readonly Buffer[] {
    return this.copy.planes;
  }

  get strides(): readonly number[] {
    return this.copy.strides;
  }

  /** Lent until the next is held. */
  get copy(): Picture {
    const { width, height, format } = this;
    let copy = this.#copy;
    if (copy?.width !== width || copy.height !== height || copy.format !== format) {
      copy?.[Symbol.dispose]();
      copy = Picture.blank(width, height, format);
      this.#copy = copy;
      this.#isCopied = false;
    }
    if (!this.#isCopied) copy.copyFrom(this);
    this.#isCopied = true;
    return copy;
  }

  [Symbol.dispose](): void {
    this.#frame.free();
    this.#copy?.[Symbol.dispose]();
  }
}
