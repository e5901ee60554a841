// Owns: what is behind the pictures of a view: a colour, or an image that covers the canvas. May import: media/av.
import { Canvas, CellScaler, type Yuv } from '../av/canvas.ts';
import { decodeImage } from '../av/still-image.ts';
import type { Box } from '../av/video-hint.ts';
import { fitInto } from './fit.ts';

export class Backdrop implements Disposable {
  readonly color: Yuv;
  readonly #image: Canvas | undefined;

  /** @param image PNG or JPEG; one that cannot be read leaves the colour */
  constructor(color: string, image: Uint8Array | undefined, width: number, height: number) {
    this.color = toYuv(color);
    this.#image = image && paintImage(image, this.color, width, height);
  }

  /** Puts back what was there before anything was painted. */
  restore(canvas: Canvas, box: Box): void {
    const image = this.#image;
    if (!image) {
      canvas.fill(box, this.color);
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
    this.#image?.[Symbol.dispose]();
  }
}

function paintImage(image: Uint8Array, color: Yuv, width: number, height: number): Canvas | undefined {
  const canvas = new Canvas(width, height);
  const whole = { x: 0, y: 0, width, height };
  canvas.fill(whole, color);
  using scaler = new CellScaler();
  const isRead = decodeImage(image, (picture) => {
    const { source, target } = fitInto(picture.width, picture.height, whole, 'crop');
    scaler.paint(picture, source, 0, canvas, target);
  });
  if (isRead) return canvas;
  canvas[Symbol.dispose]();
  return undefined;
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
