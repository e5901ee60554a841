import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { assertLayout, fitPolicies, type LayoutBase, parseRational, type ViewLayout } from '#core/view-layout.ts';
import { fitInto } from './fit.ts';
import { type Cell, capacityOf, cellsFor } from './layout.ts';

const hd = { width: 1_280, height: 720 };

function layout(base: LayoutBase, change: Partial<ViewLayout> = {}): ViewLayout {
  return { base, gridSize: 4, custom: [], fitPolicy: 'letterbox', ...change };
}

const box = ({ x, y, width, height }: Cell) => [x, y, width, height];
const boxes = (...args: Parameters<typeof cellsFor>) => cellsFor(...args).map(box);

function region(id: string, left: string, top: string, width: string, height: string) {
  return { id, shape: 'rectangle' as const, area: { left, top, width, height } };
}

test.each([
  ['one fills the canvas', 1, [[0, 0, 1_280, 720]]],
  [
    'two side by side in the middle',
    2,
    [
      [0, 180, 640, 360],
      [640, 180, 640, 360],
    ],
  ],
  [
    'the third is in the middle below',
    3,
    [
      [0, 0, 640, 360],
      [640, 0, 640, 360],
      [320, 360, 640, 360],
    ],
  ],
  [
    'four by two and two',
    4,
    [
      [0, 0, 640, 360],
      [640, 0, 640, 360],
      [0, 360, 640, 360],
      [640, 360, 640, 360],
    ],
  ],
])('fluid: %s', (_title, inputs, expected) => {
  expect(boxes(layout('fluid'), hd, inputs, false)).toEqual(expected);
});

test('thirds of 1280 go by the grid of 16 pixels and touch', () => {
  const cells = cellsFor(layout('fluid'), hd, 9, false);
  expect(cells.slice(0, 3).map(box)).toEqual([
    [0, 0, 432, 240],
    [432, 0, 416, 240],
    [848, 0, 432, 240],
  ]);
});

test('lecture has one large cell and the rest right and below', () => {
  const cells = boxes(layout('lecture'), hd, 4, false);
  expect(cells).toHaveLength(6);
  expect(cells[0]).toEqual([0, 0, 848, 480]);
  expect(cells[1]).toEqual([848, 0, 432, 240]);
  expect(cells[3]).toEqual([0, 480, 432, 240]);
});

test.each([
  [1, 1],
  [2, 6],
  [6, 6],
  [7, 8],
  [9, 10],
  [14, 14],
  [15, 17],
  [18, 21],
  [25, 25],
])('lecture of %i inputs has %i places', (inputs, places) => {
  expect(cellsFor(layout('lecture'), { width: 1_920, height: 1_080 }, inputs, false)).toHaveLength(places);
});

test('speaker is large over a row in the middle', () => {
  expect(boxes(layout('speaker'), hd, 3, false)).toEqual([
    [128, 0, 1_024, 576],
    [384, 576, 256, 144],
    [640, 576, 256, 144],
  ]);
});

test('share-first puts what is shared beside a column, and is fluid without', () => {
  expect(boxes(layout('share-first'), hd, 3, true)).toEqual([
    [0, 0, 1_024, 720],
    [1_024, 0, 256, 144],
    [1_024, 144, 256, 144],
  ]);
  expect(boxes(layout('share-first'), hd, 3, false)).toEqual(boxes(layout('fluid'), hd, 3, false));
});

test('a grid keeps its places, whoever is there', () => {
  const four = boxes(layout('grid'), hd, 1, false);
  expect(four).toHaveLength(4);
  expect(boxes(layout('grid'), hd, 4, false)).toEqual(four);
  expect(capacityOf(layout('grid'), 9)).toBe(4);
});

test('a custom template takes the place of the base for as many inputs as it has regions', () => {
  const pair = {
    region: [
      region('left', '0', '0', '1/4', '1'),
      { ...region('right', '1/4', '0', '3/4', '1'), fitPolicy: 'crop' as const },
    ],
  };
  const mixed = layout('fluid', { custom: [pair] });
  expect(cellsFor(mixed, hd, 2, false)).toEqual([
    { regionId: 'left', x: 0, y: 0, width: 320, height: 720, fitPolicy: 'letterbox' },
    { regionId: 'right', x: 320, y: 0, width: 960, height: 720, fitPolicy: 'crop' },
  ]);
  expect(boxes(mixed, hd, 3, false)).toEqual(boxes(layout('fluid'), hd, 3, false));
  expect(boxes(mixed, hd, 1, false)).toEqual([[0, 0, 1_280, 720]]);
});

test('a custom template with places to spare is used where the square of the base has as many, as in OWT', () => {
  const four = { region: ['1', '2', '3', '4'].map((id, index) => region(id, `${index}/4`, '0', '1/4', '1')) };
  const mixed = layout('fluid', { custom: [four] });
  for (const inputs of [2, 3, 4]) {
    expect(cellsFor(mixed, hd, inputs, false).map(({ width }) => width)).toEqual([320, 320, 320, 320]);
    expect(capacityOf(mixed, inputs)).toBe(4);
  }
  expect(boxes(mixed, hd, 1, false)).toEqual([[0, 0, 1_280, 720]]);
  expect(boxes(mixed, hd, 5, false)).toEqual(boxes(layout('fluid'), hd, 5, false));
});

test('without a base the largest custom template takes what it can, and the smallest that fits is used', () => {
  const one = { region: [region('1', '0', '0', '1', '1')] };
  const three = {
    region: [
      region('a', '0', '0', '2/3', '2/3'),
      region('b', '2/3', '0', '1/3', '1/3'),
      region('c', '0', '2/3', '1/3', '1/3'),
    ],
  };
  const own = layout('void', { custom: [three, one] });
  expect(cellsFor(own, hd, 1, false).map(({ regionId }) => regionId)).toEqual(['1']);
  expect(cellsFor(own, hd, 2, false).map(({ regionId }) => regionId)).toEqual(['a', 'b', 'c']);
  expect(cellsFor(own, hd, 8, false)).toHaveLength(3);
  expect(capacityOf(own, 8)).toBe(3);
});

test.each([
  ['1/3', 1, 3],
  ['0', 0, 1],
  ['1', 1, 1],
  ['0.25', 25, 100],
])('%s is a rational number', (text, numerator, denominator) => {
  expect(parseRational(text)).toEqual({ numerator, denominator });
});

test.each(['', '1/0', '-1/3', '4/3', '1e3', ' 1', '1/3/3', '1/99999', '0x1', 'NaN'])('%j is none', (text) => {
  expect(parseRational(text)).toBeUndefined();
});

test.each([
  ['beyond the canvas', { custom: [{ region: [region('1', '2/3', '0', '1/2', '1')] }] }],
  ['two of one id', { custom: [{ region: [region('1', '0', '0', '1', '1'), region('1', '0', '0', '1', '1')] }] }],
  ['no regions', { custom: [{ region: [] }] }],
  ['no size', { custom: [{ region: [region('1', '0', '0', '0', '1')] }] }],
  ['no template for void', { base: 'void' as const }],
  ['a grid of none', { gridSize: 0 }],
])('a layout with %s is refused', (_title, change) => {
  expect(() => assertLayout(layout('fluid', change))).toThrow(GatewayError);
});

const anyCanvas = fc.record({
  width: fc.integer({ min: 40, max: 1_920 }).map((half) => half * 2),
  height: fc.integer({ min: 40, max: 1_080 }).map((half) => half * 2),
});
const anyBase = fc.constantFrom<LayoutBase>('fluid', 'lecture', 'speaker', 'share-first', 'grid');

test('cells of built-in layouts lie on the canvas and the grid, and never on each other', () => {
  fc.assert(
    fc.property(
      anyCanvas,
      anyBase,
      fc.integer({ min: 0, max: 64 }),
      fc.integer({ min: 1, max: 64 }),
      fc.boolean(),
      (canvas, base, inputs, gridSize, isShared) => {
        const cells = cellsFor(layout(base, { gridSize }), canvas, inputs, isShared);
        for (const cell of cells) {
          const right = cell.x + cell.width;
          expect(cell.x % 16 === 0 && cell.y % 2 === 0 && cell.height % 2 === 0).toBe(true);
          expect(cell.width % 16 === 0 || right === canvas.width).toBe(true);
          expect(right <= canvas.width && cell.y + cell.height <= canvas.height).toBe(true);
        }
        for (const [index, a] of cells.entries()) {
          for (const b of cells.slice(index + 1)) {
            const isApart =
              a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
            expect(isApart).toBe(true);
          }
        }
      },
    ),
  );
});

test('a picture of any size stays in its cell, and its part in the picture', () => {
  const side = fc.integer({ min: 2, max: 4_096 });
  fc.assert(
    fc.property(side, side, anyCanvas, fc.constantFrom(...fitPolicies), (width, height, canvas, policy) => {
      for (const cell of cellsFor(layout('fluid'), canvas, 3, false)) {
        const { source, target } = fitInto(width, height, cell, policy);
        expect(source.x >= 0 && source.y >= 0 && source.width >= 1 && source.height >= 1).toBe(true);
        expect(source.x + source.width <= width && source.y + source.height <= height).toBe(true);
        expect(target.x >= cell.x && target.y >= cell.y && target.width >= 2 && target.height >= 2).toBe(true);
        expect(target.x + target.width <= cell.x + cell.width).toBe(true);
        expect(target.y + target.height <= cell.y + cell.height).toBe(true);
        expect(target.width % 16 === 0 || target.width === cell.width).toBe(true);
        expect(target.x % 2 === 0 && target.y % 2 === 0 && target.height % 2 === 0).toBe(true);
      }
    }),
  );
});

test.each([
  ['letterbox of a wide picture has bars above and below', 1_280, 720, 'letterbox' as const, [0, 60, 480, 270]],
  ['letterbox of a tall picture has bars left and right', 360, 640, 'letterbox' as const, [128, 0, 224, 390]],
])('%s', (_title, width, height, policy, [x, y, targetWidth, targetHeight]) => {
  const { target } = fitInto(width, height, { x: 0, y: 0, width: 480, height: 390 }, policy);
  expect(target).toEqual({ x, y, width: targetWidth, height: targetHeight });
});

test('crop takes the middle of the picture in the shape of the cell', () => {
  const { source, target } = fitInto(1_280, 720, { x: 16, y: 0, width: 320, height: 320 }, 'crop');
  expect(source).toEqual({ x: 280, y: 0, width: 720, height: 720 });
  expect(target).toEqual({ x: 16, y: 0, width: 320, height: 320 });
});
