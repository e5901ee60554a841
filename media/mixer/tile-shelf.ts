// Owns: the names and initials that a view has drawn, and how long it draws for one picture. Pure but for what draws.
// May import: media/av.
import { performance } from 'node:perf_hooks';
import type { Tile } from '../av/canvas.ts';

/** Of what is kept for who comes back, or for the layout before: more than 25 names and discs of a large view have. */
const maxBytes = 16 * 1024 * 1024;
/** A pixel of a tile in its planes. */
const bytesPerPixel = 4;
/**
 * For each picture. By the clock: on a busy machine seven names take 75 ms that are 12 ms of work, and the first of a process take
 * ten times as long as those after it.
 */
const msPerPicture = 4;

interface Drawn {
  /** Undefined where there was nothing to draw. */
  readonly tile: Tile | undefined;
}

export class TileShelf {
  /** The one that was asked for last is the last. */
  readonly #drawn = new Map<string, Drawn>();
  readonly #nowMs: () => number;
  #bytes = 0;
  #spentMs = 0;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Another picture is painted. */
  beginPicture(): void {
    this.#spentMs = 0;
  }

  /** @returns undefined when it has drawn long enough for this picture: it is to be asked for with the next */
  take(key: string, draw: () => Tile | undefined): Drawn | undefined {
    const known = this.#drawn.get(key);
    if (known) this.#drawn.delete(key);
    else if (this.#spentMs >= msPerPicture) return undefined;
    const drawn = known ?? this.#draw(draw);
    this.#drawn.set(key, drawn);
    if (!known) this.#note(drawn);
    return drawn;
  }

  #draw(draw: () => Tile | undefined): Drawn {
    const sinceMs = this.#nowMs();
    const tile = draw();
    this.#spentMs += this.#nowMs() - sinceMs;
    return { tile };
  }

  #note(drawn: Drawn): void {
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
