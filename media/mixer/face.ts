// Owns: an avatar as it is laid into a cell: a disc cut out of a picture. May import: media/av.
import { Canvas, CellScaler, type Tile } from '../av/canvas.ts';
import { decodeImage } from '../av/still-image.ts';
import { fitInto } from './fit.ts';
import { makeTile } from './tiles.ts';

/** Of what is kept; a cell rarely has room for more. */
const side = 256;

export class Face implements Disposable {
  readonly #square: Canvas;
  #tile: Tile | undefined;

  constructor(square: Canvas) {
    this.#square = square;
  }

  /** @returns a disc as wide as two thirds of the cell */
  tileFor(cellHeight: number, cellWidth: number): Tile {
    const size = Math.max(16, Math.ceil((Math.min(cellHeight, cellWidth) * 0.66) / 2) * 2);
    if (this.#tile?.width !== size) this.#tile = this.#draw(size);
    return this.#tile;
  }

  #draw(size: number): Tile {
    using scaled = new Canvas(size, size);
    using scaler = new CellScaler();
    const { picture } = this.#square;
    scaler.paint(picture, wholeOf(side), 0, scaled, wholeOf(size));
    const [planeY, planeU, planeV] = scaled.picture.planes;
    const [strideY = 0, strideU = 0, strideV = 0] = scaled.picture.strides;
    const center = size / 2;
    return makeTile(size, size, (x, y) => {
      const inside = Math.max(0, Math.min(1, center - Math.hypot(x + 0.5 - center, y + 0.5 - center)));
      const [halfX, halfY] = [x >> 1, y >> 1];
      const color = {
        y: (planeY?.[y * strideY + x] ?? 0) * inside,
        u: (planeU?.[halfY * strideU + halfX] ?? 0) * inside,
        v: (planeV?.[halfY * strideV + halfX] ?? 0) * inside,
      };
      return { keep: 1 - inside, color, isPremultiplied: true };
    });
  }

  [Symbol.dispose](): void {
    this.#square[Symbol.dispose]();
  }
}

/** @param image PNG or JPEG @returns undefined where it cannot be read */
export function faceOf(image: Uint8Array): Face | undefined {
  const square = new Canvas(side, side);
  square.fill(wholeOf(side), { y: 235, u: 128, v: 128 });
  using scaler = new CellScaler();
  const isRead = decodeImage(image, (picture) => {
    const { source, target } = fitInto(picture.width, picture.height, wholeOf(side), 'crop');
    scaler.paint(picture, source, 0, square, target);
  });
  if (isRead) return new Face(square);
  square[Symbol.dispose]();
  return undefined;
}

const wholeOf = (size: number) => ({ x: 0, y: 0, width: size, height: size });
