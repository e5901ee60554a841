// Owns: a scaling context: any picture into one of one size and format.
import { AV_PIX_FMT_YUV420P, type AVPixelFormat, SWS_FAST_BILINEAR } from 'node-av/constants';
import { AvError, assertOk, av, NativeOwner } from './library.ts';
import { isPictureSide, Picture } from './picture.ts';
import { place } from './planes.ts';
import type { Box } from './video-hint.ts';

/**
 * Brings pictures of changing size and format to one size, keeping the aspect ratio of none: who wants bars asks for a
 * size that fits. swscale does not check sizes, so everything goes by whole frames whose own fields it reads.
 */
export class Scaler extends NativeOwner {
  readonly width: number;
  readonly height: number;
  readonly #format: AVPixelFormat;
  #context: av.SoftwareScaleContext | undefined;
  #source = '';
  #output: Picture | undefined;

  /** @param format of what it makes: I420 unless something wants it otherwise */
  constructor(width: number, height: number, format: AVPixelFormat = AV_PIX_FMT_YUV420P) {
    super();
    if (!isPictureSide(width) || !isPictureSide(height)) throw new AvError('scaler', 0, `no size: ${width}x${height}`);
    this.width = width;
    this.height = height;
    this.#format = format;
  }

  /** Lends `use` the scaled picture, or the picture itself where it fits already. */
  scale(picture: Picture, use: (scaled: Picture) => void): void {
    this.exclusively(() => {
      if (picture.width === this.width && picture.height === this.height && picture.format === this.#format) {
        use(picture);
        return;
      }
      const output = this.#writableOutput();
      if (this.#isTwice(picture) && place(picture, boxOf(picture), output, boxOf(output))) {
        use(output);
        return;
      }
      const context = this.#contextFor(picture);
      assertOk(
        context.scaleSync(
          [...picture.planes],
          [...picture.strides],
          0,
          picture.height,
          [...output.planes],
          [...output.strides],
        ),
        'scaling',
      );
      use(output);
    });
  }

  #isTwice({ width, height, format }: Picture): boolean {
    const isEven = this.width % 2 === 0 && this.height % 2 === 0;
    const isTwice = width === 2 * this.width && height === 2 * this.height;
    return format === AV_PIX_FMT_YUV420P && this.#format === AV_PIX_FMT_YUV420P && isEven && isTwice;
  }

  /** An encoder may hold the last one; then this gets other memory. */
  #writableOutput(): Picture {
    this.#output ??= Picture.blank(this.width, this.height, this.#format);
    this.#output.makeWritable();
    return this.#output;
  }

  #contextFor(picture: Picture): av.SoftwareScaleContext {
    const source = `${picture.width}x${picture.height}:${picture.format}`;
    if (this.#context && source === this.#source) return this.#context;
    if (!isPictureSide(picture.width) || !isPictureSide(picture.height)) {
      throw new AvError('scaler', 0, `cannot scale ${picture.width}x${picture.height}`);
    }
    this.#context?.freeContext();
    this.#context = new av.SoftwareScaleContext();
    this.#source = source;
    // The J formats have full range, as many cameras do; what we encode does not say so, and gets the usual one.
    const { width, height, format } = picture;
    this.#context.getContext(width, height, format, this.width, this.height, this.#format, SWS_FAST_BILINEAR);
    return this.#context;
  }

  protected override free(): void {
    this.#context?.freeContext();
    this.#output?.[Symbol.dispose]();
  }
}

function boxOf({ width, height }: Picture): Box {
  return { x: 0, y: 0, width, height };
}
