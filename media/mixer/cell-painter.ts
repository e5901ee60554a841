// Owns: one input in its cell: what of it must be painted again, and with what over it. May import: media/av.
import { type Canvas, CellScaler, type Tile } from '../av/canvas.ts';
import type { HeldPicture } from '../av/held-picture.ts';
import type { Backdrop } from './backdrop.ts';
import { fitInto, type Rectangle } from './fit.ts';
import type { Cell } from './layout.ts';
import type { TileShelf } from './tile-shelf.ts';
import { initialsTile, labelTile } from './tiles.ts';
import type { ViewInput } from './view-input.ts';

/** Behind initials. */
const emptyColor = { y: 44, u: 130, v: 126 };
/** Of who speaks. */
const borderColor = { y: 170, u: 60, v: 60 };

export interface PaintStyle {
  readonly hasLabels: boolean;
  readonly isSpeaking: boolean;
  /** Cells are of another size with every picture: what is drawn for one size waits. */
  readonly isMoving: boolean;
}

export class CellPainter implements Disposable {
  readonly input: ViewInput;
  /** Where it belongs; its cell is on the way there. */
  place: Cell;
  readonly #scaler = new CellScaler();
  readonly #tiles: TileShelf;
  #cell: Cell;
  /** Everything that decides how the cell looks but for the picture itself. */
  #painted = '';
  #paintedSerial = -1;
  #fit: ReturnType<typeof fitInto> | undefined;
  #disc: { readonly tile: Tile; readonly key: string } | undefined;
  #label: { readonly tile: Tile | undefined; readonly key: string } | undefined;

  constructor(input: ViewInput, cell: Cell, tiles: TileShelf) {
    this.input = input;
    this.#tiles = tiles;
    this.#cell = cell;
    this.place = cell;
  }

  get cell(): Cell {
    return this.#cell;
  }

  setCell(cell: Cell): void {
    this.#cell = cell;
  }

  /** The canvas was wiped under it. */
  invalidate(): void {
    this.#painted = '';
  }

  /** @returns whether there was anything to paint */
  paint(canvas: Canvas, backdrop: Backdrop, style: PaintStyle): boolean {
    const { latest, rotation, serial } = this.input;
    const size = latest ? `${latest.width}x${latest.height}:${rotation}` : 'none';
    const face = latest ? '' : serial;
    const look = `${size}:${face}:${style.hasLabels}:${style.isSpeaking}:${this.input.info.name}`;
    const isWhole = look !== this.#painted;
    if (!isWhole && serial === this.#paintedSerial) return false;
    this.#painted = look;
    this.#paintedSerial = serial;
    if (isWhole) backdrop.restore(canvas, this.#cell);
    if (latest) this.#paintPicture(canvas, latest, isWhole, style);
    else if (isWhole) this.#paintInitials(canvas, style);
    if (style.isSpeaking) this.#paintBorder(canvas);
    return true;
  }

  #paintPicture(canvas: Canvas, picture: HeldPicture, isWhole: boolean, style: PaintStyle): void {
    const { rotation } = this.input;
    const isTurned = rotation === 90 || rotation === 270;
    if (isWhole || !this.#fit) {
      const [width, height] = isTurned ? [picture.height, picture.width] : [picture.width, picture.height];
      this.#fit = fitInto(width, height, this.#cell, this.#cell.fitPolicy);
    }
    const { source, target } = this.#fit;
    const part = isTurned ? { x: source.y, y: source.x, width: source.height, height: source.width } : source;
    this.#scaler.paint(picture, part, rotation, canvas, target);
    if (style.hasLabels) this.#paintLabel(canvas, target, style);
  }

  #paintInitials(canvas: Canvas, style: PaintStyle): void {
    const { cell } = this;
    canvas.fill(cell, emptyColor);
    const tile = this.#discFor(style);
    const even = (value: number) => Math.floor(value / 2) * 2;
    if (tile) {
      const x = cell.x + even((cell.width - tile.width) / 2);
      canvas.blend(tile, x, cell.y + even((cell.height - tile.height) / 2), cell);
    }
    if (style.hasLabels) this.#paintLabel(canvas, cell, style);
  }

  #discFor({ isMoving }: PaintStyle): Tile | undefined {
    const { face, info } = this.input;
    const { width, height } = this.#cell;
    const key = `${info.name}:${face.serial}:${width}x${height}`;
    const known = this.#disc?.tile;
    const isGood = this.#disc?.key === key || (isMoving && known && known.width <= width && known.height <= height);
    if (known && isGood) return known;
    const tile = face.tileFor(height, width) ?? this.#initials(width, height);
    this.#disc = tile && { tile, key };
    return tile;
  }

  #initials(width: number, height: number): Tile | undefined {
    const { name } = this.input.info;
    const drawn = this.#tiles.take(`${width}x${height}:${name}`, () => initialsTile(name, height, width));
    if (!drawn) this.invalidate();
    return drawn?.tile;
  }

  /** On the picture and not beside it: only there is the ground new each time. */
  #paintLabel(canvas: Canvas, ground: Rectangle, { isMoving }: PaintStyle): void {
    const { name } = this.input.info;
    const key = `label:${this.#cell.height}:${ground.width}:${name}`;
    if (this.#label?.key !== key && !isMoving) {
      const draw = () => labelTile(name, this.#cell.height, ground.width);
      const drawn = name === '' ? { tile: undefined } : this.#tiles.take(key, draw);
      if (!drawn) this.invalidate();
      this.#label = drawn && { ...drawn, key };
    }
    const tile = this.#label?.tile;
    if (tile && tile.height <= ground.height && tile.width <= ground.width)
      canvas.blend(tile, ground.x, ground.y + ground.height - tile.height, ground);
  }

  #paintBorder(canvas: Canvas): void {
    const { x, y, width, height } = this.#cell;
    const thick = height >= 200 ? 4 : 2;
    const sides = [
      { x, y, width, height: thick },
      { x, y: y + height - thick, width, height: thick },
      { x, y, width: thick, height },
      { x: x + width - thick, y, width: thick, height },
    ];
    for (const side of sides) canvas.fill(side, borderColor);
  }

  [Symbol.dispose](): void {
    this.#scaler[Symbol.dispose]();
  }
}
