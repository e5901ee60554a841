// Owns: where each tile goes on the stage. Pure.

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels from the top left corner of the stage. */
export interface Rect extends Size {
  readonly left: number;
  readonly top: number;
}

const gap = 10;
const wide = 16 / 9;

/**
 * The grid whose tiles are largest. Last rows are centred.
 * @param aspects shapes that a tile may have, width by height
 */
export function gridRects(count: number, stage: Size, aspects: readonly number[] = [wide]): Rect[] {
  if (count === 0 || stage.width <= 0 || stage.height <= 0) return [];
  let best = { width: 0, height: 0, columns: 1 };
  for (const aspect of aspects) {
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns);
      const maxWidth = (stage.width - gap * (columns - 1)) / columns;
      const maxHeight = (stage.height - gap * (rows - 1)) / rows;
      const width = Math.min(maxWidth, maxHeight * aspect);
      const height = width / aspect;
      if (width * height > best.width * best.height) best = { width, height, columns };
    }
  }
  const { width, height, columns } = best;
  const rows = Math.ceil(count / columns);
  const firstTop = (stage.height - rows * height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const firstLeft = (stage.width - inRow * width - (inRow - 1) * gap) / 2;
    return round({
      left: firstLeft + (index % columns) * (width + gap),
      top: firstTop + row * (height + gap),
      width,
      height,
    });
  });
}

export interface SpotlightRects {
  readonly main: Rect;
  /** As many as fit; the rest is not shown. */
  readonly strip: readonly Rect[];
}

/** One large and the others in a strip: beside it on a wide stage, below it on a high one. */
export function spotlightRects(stripCount: number, stage: Size): SpotlightRects {
  const isHigh = stage.height > stage.width;
  if (stripCount === 0) return { main: whole(stage), strip: [] };
  const shown = Math.min(stripCount, stripLength(stage));
  if (isHigh) {
    const { width, height } = stripTile(stage);
    const main = { left: 0, top: 0, width: stage.width, height: stage.height - height - gap };
    const first = (stage.width - shown * width - (shown - 1) * gap) / 2;
    const top = main.height + gap;
    const strip = Array.from({ length: shown }, (_, index) =>
      round({ left: first + index * (width + gap), top, width, height }),
    );
    return { main: round(main), strip };
  }
  const { width, height } = stripTile(stage);
  const main = { left: 0, top: 0, width: stage.width - width - gap, height: stage.height };
  const first = (stage.height - shown * height - (shown - 1) * gap) / 2;
  const left = main.width + gap;
  const strip = Array.from({ length: shown }, (_, index) =>
    round({ left, top: first + index * (height + gap), width, height }),
  );
  return { main: round(main), strip };
}

function stripTile(stage: Size): Size {
  if (stage.height > stage.width) {
    const side = Math.min(110, stage.height * 0.18, (stage.width - 2 * gap) / 3);
    return { width: side, height: side };
  }
  const width = Math.min(240, Math.max(130, stage.width * 0.19));
  return { width, height: width / wide };
}

/** Tiles that the strip has room for. */
export function stripLength(stage: Size): number {
  const { width, height } = stripTile(stage);
  const [room, tile] = stage.height > stage.width ? [stage.width, width] : [stage.height, height];
  return Math.max(1, Math.floor((room + gap) / (tile + gap)));
}

/** The other one large and oneself in the corner, for two. */
export function duoRects(stage: Size): { readonly other: Rect; readonly self: Rect } {
  const isHigh = stage.height > stage.width;
  const width = isHigh ? Math.min(120, stage.width * 0.3) : Math.min(240, stage.width * 0.22);
  const height = isHigh ? width * (4 / 3) : width / wide;
  const inset = 14;
  const self = { left: stage.width - width - inset, top: stage.height - height - inset, width, height };
  return { other: whole(stage), self: round(self) };
}

/** Tiles on one page of the grid: no smaller than can be told apart. */
export function pageLength(stage: Size): number {
  const minArea = stage.height > stage.width ? 130 * 130 : 230 * 130;
  return Math.min(25, Math.max(4, Math.floor((stage.width * stage.height) / minArea)));
}

/** Shapes that suit the stage: portrait phones waste less with squarer tiles. */
export function tileAspects(stage: Size): readonly number[] {
  return stage.height > stage.width ? [wide, 4 / 3, 1, 3 / 4] : [wide];
}

function whole({ width, height }: Size): Rect {
  return { left: 0, top: 0, width, height };
}

function round({ left, top, width, height }: Rect): Rect {
  return { left: Math.round(left), top: Math.round(top), width: Math.floor(width), height: Math.floor(height) };
}
