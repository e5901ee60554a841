// Owns: where on the canvas each picture of a view goes. Pure. Folder: what is made of many streams: the mix and the views
// of a room. May import: media/{av,rtp,legs}, core's words.
import {
  addRationals,
  type FitPolicy,
  type LayoutTemplate,
  parseRational,
  type Rational,
  type ViewLayout,
} from '#core/view-layout.ts';

/** Pixels; x, y and the height even, the width a multiple of 16 except at the right edge. */
export interface Cell {
  readonly regionId: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly fitPolicy: FitPolicy;
}

export interface CanvasSize {
  readonly width: number;
  readonly height: number;
}

/** swscale writes rows in steps of 16 pixels and would smear what lies right of a cell of another width. */
export const cellGrid = 16;
/** A region that is thinner shows nothing. */
const smallestSide = 16;

/** A region of a built-in template in whole parts of `of`, which cannot be rounded wrongly. */
interface Part {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly ofX: number;
  readonly ofY: number;
}

/** How many inputs a layout shows when so many are there. */
export function capacityOf(layout: ViewLayout, inputs: number): number {
  const custom = customFor(layout, inputs);
  if (custom && custom.region.length >= inputs) return custom.region.length;
  if (layout.base === 'void') return custom?.region.length ?? 0;
  return layout.base === 'grid' ? layout.gridSize : Math.max(1, inputs);
}

/**
 * @param inputs how many are to be shown
 * @param isShared whether the first of them is what somebody shares of a screen
 * @returns one cell for each place, in the order of the inputs; places without an input come last
 */
export function cellsFor(layout: ViewLayout, canvas: CanvasSize, inputs: number, isShared: boolean): Cell[] {
  const custom = customFor(layout, inputs);
  const isCustom = custom && (layout.base === 'void' || custom.region.length >= inputs);
  const cells = isCustom ? customCells(custom, layout, canvas) : builtInCells(layout, canvas, inputs, isShared);
  return cells.filter(({ width, height }) => width >= smallestSide && height >= smallestSide);
}

/** The smallest that has room; the largest when none has and there is nothing else. */
function customFor({ base, custom, gridSize }: ViewLayout, inputs: number): LayoutTemplate | undefined {
  const bySize = custom.toSorted((a, b) => a.region.length - b.region.length);
  const fitting = bySize.find(({ region }) => region.length >= inputs);
  if (base === 'void') return fitting ?? bySize.at(-1);
  const baseSize = base === 'grid' ? gridSize : base === 'lecture' ? lectureSize(inputs) : squareSize(inputs);
  return fitting && (fitting.region.length <= baseSize || baseSize < inputs) ? fitting : undefined;
}

/** Of the squares that OWT's `fluid` is made of: ours fits exactly, and custom templates have the inputs that they have there. */
function squareSize(inputs: number): number {
  return Math.ceil(Math.sqrt(inputs)) ** 2;
}

function customCells({ region }: LayoutTemplate, { fitPolicy }: ViewLayout, canvas: CanvasSize): Cell[] {
  return region.map(({ id, area, fitPolicy: own }) => {
    const left = parseRational(area.left) ?? zero;
    const top = parseRational(area.top) ?? zero;
    const right = addRationals(left, parseRational(area.width) ?? zero);
    const bottom = addRationals(top, parseRational(area.height) ?? zero);
    return placed({ left, top, right, bottom }, canvas, id, own ?? fitPolicy);
  });
}

const zero: Rational = { numerator: 0, denominator: 1 };

function builtInCells(layout: ViewLayout, canvas: CanvasSize, inputs: number, isShared: boolean): Cell[] {
  const parts = partsFor(layout, Math.max(1, inputs), isShared);
  return parts.map(({ x, y, width, height, ofX, ofY }, index) => {
    const edges = {
      left: { numerator: x, denominator: ofX },
      right: { numerator: x + width, denominator: ofX },
      top: { numerator: y, denominator: ofY },
      bottom: { numerator: y + height, denominator: ofY },
    };
    return placed(edges, canvas, String(index + 1), layout.fitPolicy);
  });
}

function partsFor({ base, gridSize }: ViewLayout, inputs: number, isShared: boolean): Part[] {
  switch (base) {
    case 'lecture':
      return lecture(inputs);
    case 'speaker':
      return speaker(inputs);
    case 'share-first':
      return isShared ? besideShared(inputs) : fluid(inputs);
    case 'grid':
      return grid(gridSize);
    case 'fluid':
    case 'void':
      return fluid(inputs);
  }
}

/** Tiles in the shape of the canvas; what does not fill it is in the middle. */
function fluid(inputs: number): Part[] {
  const columns = Math.ceil(Math.sqrt(inputs));
  const rows = Math.ceil(inputs / columns);
  return Array.from({ length: inputs }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, inputs - row * columns);
    // In half tiles, so that a row can be in the middle.
    const x = columns - inRow + (index % columns) * 2;
    const y = columns - rows + row * 2;
    return { x, y, width: 2, height: 2, ofX: columns * 2, ofY: columns * 2 };
  });
}

function grid(places: number): Part[] {
  const columns = Math.ceil(Math.sqrt(places));
  const rows = Math.ceil(places / columns);
  return Array.from({ length: places }, (_, index) => ({
    x: index % columns,
    y: Math.floor(index / columns),
    width: 1,
    height: 1,
    ofX: columns,
    ofY: rows,
  }));
}

/** One ring of small tiles right and below up to fourteen inputs, two beyond. */
function lecture(inputs: number): Part[] {
  if (inputs === 1) return [{ x: 0, y: 0, width: 1, height: 1, ofX: 1, ofY: 1 }];
  const { sides, rings } = lectureRings(inputs);
  const primary = sides - rings;
  const parts: Part[] = [{ x: 0, y: 0, width: primary, height: primary, ofX: sides, ofY: sides }];
  const add = (x: number, y: number) => parts.push({ x, y, width: 1, height: 1, ofX: sides, ofY: sides });
  for (let x = primary; x < sides; x++) for (let y = 0; y < primary; y++) add(x, y);
  for (let y = primary; y < sides; y++) for (let x = 0; x < sides; x++) add(x, y);
  return parts;
}

function lectureRings(inputs: number): { sides: number; rings: number } {
  const isDouble = inputs > 14;
  let sides = isDouble ? 5 : 3;
  while ((isDouble ? 4 * sides - 3 : 2 * sides) < inputs) sides += 1;
  return { sides, rings: isDouble ? 2 : 1 };
}

function lectureSize(inputs: number): number {
  if (inputs === 1) return 1;
  const { sides, rings } = lectureRings(inputs);
  return rings === 2 ? 4 * sides - 3 : 2 * sides;
}

const fewestInStrip = 5;

function speaker(inputs: number): Part[] {
  if (inputs === 1) return fluid(1);
  const small = inputs - 1;
  const places = Math.max(fewestInStrip, small);
  const primary = { x: 1, y: 0, width: 2 * places - 2, height: 2 * places - 2, ofX: 2 * places, ofY: 2 * places };
  const strip = Array.from({ length: small }, (_, index) => ({
    x: places - small + 2 * index,
    y: 2 * places - 2,
    width: 2,
    height: 2,
    ofX: 2 * places,
    ofY: 2 * places,
  }));
  return [primary, ...strip];
}

function besideShared(inputs: number): Part[] {
  if (inputs === 1) return fluid(1);
  const small = inputs - 1;
  const places = Math.max(fewestInStrip, small);
  const primary = { x: 0, y: 0, width: 4, height: 1, ofX: 5, ofY: 1 };
  const column = Array.from({ length: small }, (_, y) => ({ x: 4, y, width: 1, height: 1, ofX: 5, ofY: places }));
  return [primary, ...column];
}

interface Edges {
  readonly left: Rational;
  readonly right: Rational;
  readonly top: Rational;
  readonly bottom: Rational;
}

/** Edges, not sizes, are rounded: what touches on paper touches on the canvas. */
function placed(edges: Edges, { width, height }: CanvasSize, regionId: string, fitPolicy: FitPolicy): Cell {
  const x = snap(edges.left, width, cellGrid);
  const right = snap(edges.right, width, cellGrid);
  const y = snap(edges.top, height, 2);
  return { regionId, x, y, width: right - x, height: snap(edges.bottom, height, 2) - y, fitPolicy };
}

function snap({ numerator, denominator }: Rational, length: number, step: number): number {
  if (numerator >= denominator) return length;
  return Math.min(length, Math.round((numerator * length) / (denominator * step)) * step);
}
