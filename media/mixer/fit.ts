// Owns: which part of a picture goes where in its cell. Pure. May import: core's words.
import type { FitPolicy } from '#core/view-layout.ts';
import { cellGrid } from './layout.ts';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Fit {
  /** Of the picture; even. */
  readonly source: Rectangle;
  /** On the canvas, within the cell; even, its width a multiple of 16 or that of the cell. */
  readonly target: Rectangle;
}

/** Cells go by a grid: bars as thin as its steps would be a blemish, and nobody misses what is cut off instead. */
const alike = 0.06;

const even = (value: number) => Math.floor(value / 2) * 2;
const clamp = (value: number, least: number, most: number) => Math.max(least, Math.min(most, value));

/**
 * The target's width goes in steps; what that changes in its shape is cut off the picture, so that nothing is distorted.
 * @param width of the picture as it is to be seen, after its rotation
 */
export function fitInto(width: number, height: number, cell: Rectangle, policy: FitPolicy): Fit {
  const whole = { x: 0, y: 0, width, height };
  if (policy === 'stretch') return { source: whole, target: { ...pick(cell) } };
  const isAlike = Math.abs(Math.log((width / height / cell.width) * cell.height)) < alike;
  const target = policy === 'crop' || isAlike ? pick(cell) : letterboxed(width, height, cell);
  return { source: cutTo(target.width / target.height, width, height), target };
}

function pick({ x, y, width, height }: Rectangle): Rectangle {
  return { x, y, width, height };
}

function letterboxed(width: number, height: number, cell: Rectangle): Rectangle {
  const shape = width / height;
  let [targetWidth, targetHeight] = [cell.width, cell.height];
  if (cell.width / cell.height > shape) {
    const steps = Math.max(1, Math.round((cell.height * shape) / cellGrid));
    targetWidth = Math.min(cell.width, steps * cellGrid);
  } else {
    targetHeight = clamp(even(cell.width / shape + 1), 2, cell.height);
  }
  return {
    x: cell.x + even((cell.width - targetWidth) / 2),
    y: cell.y + even((cell.height - targetHeight) / 2),
    width: targetWidth,
    height: targetHeight,
  };
}

/** The middle of the picture in the shape asked for. */
function cutTo(shape: number, width: number, height: number): Rectangle {
  const isTooWide = width / height > shape;
  const cutWidth = isTooWide ? clamp(even(height * shape), Math.min(2, width), width) : width;
  const cutHeight = isTooWide ? height : clamp(even(width / shape), Math.min(2, height), height);
  return { x: even((width - cutWidth) / 2), y: even((height - cutHeight) / 2), width: cutWidth, height: cutHeight };
}
