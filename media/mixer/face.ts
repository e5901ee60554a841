// Owns: an avatar as it is laid into a cell: a disc cut out of a picture. May import: media/av.
import { Canvas, CellScaler, type Tile } from '../av/canvas.ts';
import { coveredCanvas } from './covered-canvas.ts';
import { insideDisc, makeTile } from './tiles.ts';

/** Of what is kept; a cell rarely has room for more. */
const side = 256;
/** Behind what of an image can be seen through. */
const paper = { y: 235, u: 128, v: 128 };

export class Face implements Disposable {
  readonly #onChanged: () => void;
  #wanted: Uint8Array | undefined;
  #square: Canvas | undefined;
  #tile: Tile | undefined;
  #serial = 0;

  /** @param onChanged another is there, or none any more */
  constructor(onChanged: () => void) {
    this.#onChanged = onChanged;
  }

  /** Another number for each. */
  get serial(): number {
    return this.#serial;
  }

  /** @param image PNG or JPEG, shown once it is read, and the last until then; one that cannot be read is none */
  set(image: Uint8Array | undefined): void {
    this.#wanted = image;
    if (image) void this.#read(image);
    else if (this.#square) this.#show(undefined);
  }

  /** @returns a disc as wide as two thirds of the cell; undefined where there is no face */
  tileFor(cellHeight: number, cellWidth: number): Tile | undefined {
    const size = Math.max(16, Math.ceil((Math.min(cellHeight, cellWidth) * 0.66) / 2) * 2);
    if (this.#square && this.#tile?.width !== size) this.#tile = drawDisc(this.#square, size);
    return this.#tile;
  }

  [Symbol.dispose](): void {
    this.#wanted = undefined;
    this.#square?.[Symbol.dispose]();
    this.#square = undefined;
  }

  async #read(image: Uint8Array): Promise<void> {
    const isWanted = () => this.#wanted === image;
    const square = await coveredCanvas(image, { width: side, height: side }, paper, isWanted);
    if (isWanted()) this.#show(square);
    else square?.[Symbol.dispose]();
  }

  #show(square: Canvas | undefined): void {
    this.#square?.[Symbol.dispose]();
    this.#square = square;
    this.#tile = undefined;
    this.#serial += 1;
    this.#onChanged();
  }
}

function drawDisc({ picture: whole }: Canvas, size: number): Tile {
  using scaled = new Canvas(size, size);
  using scaler = new CellScaler();
  scaler.paint(whole, wholeOf(side), 0, scaled, wholeOf(size));
  const [planeY, planeU, planeV] = scaled.picture.planes;
  const [strideY = 0, strideU = 0, strideV = 0] = scaled.picture.strides;
  const center = size / 2;
  return makeTile(size, size, (x, y, pixel) => {
    const inside = insideDisc(center, x, y);
    const [halfX, halfY] = [x >> 1, y >> 1];
    pixel.keep = 1 - inside;
    pixel.y = (planeY?.[y * strideY + x] ?? 0) * inside;
    pixel.u = (planeU?.[halfY * strideU + halfX] ?? 0) * inside;
    pixel.v = (planeV?.[halfY * strideV + halfX] ?? 0) * inside;
  });
}

const wholeOf = (size: number) => ({ x: 0, y: 0, width: size, height: size });
