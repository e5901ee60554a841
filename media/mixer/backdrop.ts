// Owns: what is behind the pictures of a view: a colour, or an image that covers the canvas. May import: media/av.
import type { ViewLook } from '#core/view-messages.ts';
import type { Canvas, Yuv } from '../av/canvas.ts';
import type { Box } from '../av/video-hint.ts';
import { coveredCanvas } from './covered-canvas.ts';
import type { CanvasSize } from './layout.ts';

export type Ground = Pick<ViewLook, 'backgroundColor' | 'backgroundImage'> & CanvasSize;

export class Backdrop implements Disposable {
  readonly #onChanged: () => void;
  #ground: Ground | undefined;
  #color: Yuv = toYuv('#000000');
  #image: Canvas | undefined;

  /** @param onChanged what it puts back is another from now on */
  constructor(onChanged: () => void) {
    this.#onChanged = onChanged;
  }

  /** An image takes up to a second to be read: what was there is seen until then, or the colour where that was of another size. */
  set(ground: Ground): void {
    const past = this.#ground;
    if (past && isSame(past, ground)) return;
    this.#ground = ground;
    const { backgroundImage, width, height } = ground;
    if (backgroundImage && past?.width === width && past.height === height) void this.#read(ground, backgroundImage);
    else {
      this.#show(ground, undefined);
      if (backgroundImage) void this.#read(ground, backgroundImage);
    }
  }

  /** Puts back what was there before anything was painted. */
  restore(canvas: Canvas, box: Box): void {
    const image = this.#image;
    if (!image) {
      canvas.fill(box, this.#color);
      return;
    }
    const to = canvas.picture;
    const from = image.picture;
    to.planes.slice(0, 3).forEach((plane, index) => {
      const shift = index === 0 ? 0 : 1;
      const [x, width] = [box.x >> shift, box.width >> shift];
      const [fromStride, toStride] = [from.strides[index] ?? 0, to.strides[index] ?? 0];
      for (let row = box.y >> shift; row < (box.y + box.height) >> shift; row++) {
        const start = row * fromStride + x;
        from.planes[index]?.copy(plane, row * toStride + x, start, start + width);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#ground = undefined;
    this.#image?.[Symbol.dispose]();
    this.#image = undefined;
  }

  /** One that cannot be read leaves the colour. */
  async #read(ground: Ground, data: Uint8Array): Promise<void> {
    const isWanted = () => this.#ground === ground;
    const image = await coveredCanvas(data, ground, toYuv(ground.backgroundColor), isWanted);
    if (isWanted()) this.#show(ground, image);
    else image?.[Symbol.dispose]();
  }

  #show({ backgroundColor }: Ground, image: Canvas | undefined): void {
    this.#image?.[Symbol.dispose]();
    this.#image = image;
    this.#color = toYuv(backgroundColor);
    this.#onChanged();
  }
}

function isSame(a: Ground, b: Ground): boolean {
  if (a.backgroundColor !== b.backgroundColor || a.width !== b.width || a.height !== b.height) return false;
  const [was, is] = [a.backgroundImage, b.backgroundImage];
  return was && is ? Buffer.compare(was, is) === 0 : was === is;
}

/** ITU-R BT.601 in limited range, as cameras come. @param color `#rrggbb` */
export function toYuv(color: string): Yuv {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return {
    y: Math.round(16 + 0.257 * r + 0.504 * g + 0.098 * b),
    u: Math.round(128 - 0.148 * r - 0.291 * g + 0.439 * b),
    v: Math.round(128 + 0.439 * r - 0.368 * g - 0.071 * b),
  };
}
