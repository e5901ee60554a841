// Owns: the names and initials that a view has drawn, and how much is drawn for one picture. Pure but for what draws.
// May import: media/av.
import type { Tile } from '../av/canvas.ts';

/** Of what is kept for who comes back, or for the layout before: more than 25 names and discs of a large view have. */
const maxBytes = 16 * 1024 * 1024;
/** A pixel of a tile in its planes. */
const bytesPerPixel = 4;
/** For each picture: about five milliseconds. A layout of 25 names, drawn at once, made a picture a fifth of a second late. */
const pixelsPerPicture = 400_000;
/** What the font costs, in pixels. */
const pixelsPerText = 40_000;

interface Drawn {
  /** Undefined where there was nothing to draw. */
  readonly tile: Tile | undefined;
}

export class TileShelf {
  /** The one that was asked for last is the last. */
  readonly #drawn = new Map<string, Drawn>();
  #bytes = 0;
  #pixelsLeft = pixelsPerPicture;

  /** Another picture is painted. */
  beginPicture(): void {
    this.#pixelsLeft = pixelsPerPicture;
  }

  /** @returns undefined when enough was drawn for this picture: it is to be asked for with the next */
  take(key: string, draw: () => Tile | undefined): Drawn | undefined {
    const known = this.#drawn.get(key);
    if (known) this.#drawn.delete(key);
    else if (this.#pixelsLeft <= 0) return undefined;
    const drawn = known ?? { tile: draw() };
    this.#drawn.set(key, drawn);
    if (!known) this.#note(drawn);
    return drawn;
  }

  #note(drawn: Drawn): void {
    this.#pixelsLeft -= pixelsPerText + pixelsOf(drawn);
    this.#bytes += pixelsOf(drawn) * bytesPerPixel;
    for (const [key, oldest] of this.#drawn) {
      if (this.#bytes <= maxBytes || oldest === drawn) return;
      this.#drawn.delete(key);
      this.#bytes -= pixelsOf(oldest) * bytesPerPixel;
    }
  }
}

function pixelsOf({ tile }: Drawn): number {
  return tile ? tile.width * tile.height : 0;
}
