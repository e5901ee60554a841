// Owns: where a cell is on its way from one place to another. Pure.
import { type CanvasSize, type Cell, cellGrid } from './layout.ts';

/** More cells than these change places at once: scaling each to another size with every picture costs too much. */
export const maxMovingCells = 16;
/** Who comes begins so large in the middle of his cell. */
const firstShare = 0.5;

const even = (value: number) => Math.round(value / 2) * 2;

/** Slow at both ends. @param share 0..1 of the time @returns 0..1 of the way */
export function eased(share: number): number {
  const t = Math.max(0, Math.min(1, share));
  return t * t * (3 - 2 * t);
}

/** @param way 0..1; a cell that can be painted on every point of it, and `to` itself at its end */
export function cellBetween(from: Cell, to: Cell, way: number, canvas: CanvasSize): Cell {
  if (way >= 1) return to;
  const between = (a: number, b: number) => a + (b - a) * way;
  const least = Math.min(cellGrid, canvas.width);
  // Widths go in the steps of the grid, as those of every cell that does not end with the canvas.
  const steps = Math.round(between(from.width, to.width) / cellGrid) * cellGrid;
  const width = Math.max(least, Math.min(steps, canvas.width - (canvas.width % cellGrid)));
  const height = Math.max(2, Math.min(even(between(from.height, to.height)), canvas.height));
  const x = Math.max(0, Math.min(even(between(from.x, to.x)), canvas.width - width));
  const y = Math.max(0, Math.min(even(between(from.y, to.y)), canvas.height - height));
  return { ...to, x, y, width, height };
}

/** Where one who has just come begins. */
export function beginningOf(cell: Cell): Cell {
  const [width, height] = [cell.width * firstShare, cell.height * firstShare];
  return { ...cell, width, height, x: cell.x + (cell.width - width) / 2, y: cell.y + (cell.height - height) / 2 };
}
