import { randomFillSync } from 'node:crypto';
import { AV_PIX_FMT_NV12, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUVJ420P } from 'node-av/constants';
import { expect, test } from 'vitest';
import { nativeAddon } from '../native/addons.ts';
import { Canvas, CellScaler } from './canvas.ts';
import { Picture } from './picture.ts';
import { canPlace, place, turn } from './planes.ts';
import type { Box } from './video-hint.ts';

function noise(width: number, height: number): Picture {
  const picture = Picture.blank(width, height);
  for (const plane of picture.planes) randomFillSync(plane);
  return picture;
}

function boxOf({ width, height }: Picture): Box {
  return { x: 0, y: 0, width, height };
}

function byteAt({ planes, strides }: Picture, plane: number, x: number, y: number): number {
  return planes[plane]?.[y * (strides[plane] ?? 0) + x] ?? -1;
}

/** The mean of four, of a plane at a place. */
function meanAt(picture: Picture, plane: number, x: number, y: number): number {
  const [left, right] = [0, 1].map((side) =>
    [0, 1].reduce((sum, row) => sum + byteAt(picture, plane, 2 * x + side, 2 * y + row), 0),
  );
  return ((left ?? 0) + (right ?? 0) + 2) >> 2;
}

test.runIf(canPlace).each([
  [640, 360],
  [34, 18],
  [2, 2],
  [46, 4],
])('each byte of %d x %d is the mean of four', (width, height) => {
  using from = noise(2 * width, 2 * height);
  using to = Picture.blank(width, height);
  expect(place(from, boxOf(from), to, boxOf(to))).toBe(true);
  let wrong = 0;
  to.planes.forEach((plane, index) => {
    const shift = index === 0 ? 0 : 1;
    for (let y = 0; y < height >> shift; y++) {
      for (let x = 0; x < width >> shift; x++) {
        if (plane[y * (to.strides[index] ?? 0) + x] !== meanAt(from, index, x, y)) wrong += 1;
      }
    }
  });
  expect(wrong).toBe(0);
});

test.runIf(canPlace).each([
  [90, 64, 48],
  [180, 64, 48],
  [270, 64, 48],
  [90, 46, 22],
  [180, 46, 22],
  [270, 46, 22],
  [90, 2, 4],
] as const)(
  'by %d degrees to %d x %d every byte is where it belongs, and nothing beside it is touched',
  (degrees, width, height) => {
    const [across, down] = degrees === 180 ? [width, height] : [height, width];
    using from = noise(across, down);
    using to = Picture.blank(80, 60);
    for (const plane of to.planes) plane.fill(7);
    const target = { x: 6, y: 10, width, height };
    expect(turn(from, degrees, to, target)).toBe(true);
    /** Where it was before it was turned. */
    const sourceOf = (x: number, y: number, w: number, h: number): [number, number] =>
      degrees === 90 ? [y, w - 1 - x] : degrees === 180 ? [w - 1 - x, h - 1 - y] : [h - 1 - y, x];
    let wrong = 0;
    to.planes.forEach((plane, index) => {
      const shift = index === 0 ? 0 : 1;
      for (let y = 0; y < 60 >> shift; y++) {
        for (let x = 0; x < 80 >> shift; x++) {
          const [u, v] = [x - (target.x >> shift), y - (target.y >> shift)];
          const isIn = u >= 0 && v >= 0 && u < width >> shift && v < height >> shift;
          const wanted = isIn ? byteAt(from, index, ...sourceOf(u, v, width >> shift, height >> shift)) : 7;
          if (plane[y * (to.strides[index] ?? 0) + x] !== wanted) wrong += 1;
        }
      }
    });
    expect(wrong).toBe(0);
  },
);

test.runIf(canPlace)('what does not fit when it is turned is not', () => {
  using from = noise(48, 64);
  using to = Picture.blank(80, 60);
  expect(turn(from, 180, to, { x: 0, y: 0, width: 64, height: 48 })).toBe(false);
  expect(turn(from, 90, to, { x: 20, y: 0, width: 64, height: 48 })).toBe(false);
  expect(turn(from, 90, to, { x: 0, y: 0, width: 64, height: 50 })).toBe(false);
});

test.runIf(canPlace).each([
  ['as it is', 1],
  ['at half of its size', 2],
])('a part of a picture is put into a part of another %s, and nothing beside it is touched', (_how, times) => {
  const [source, target] = [
    { x: 6, y: 10, width: 46 * times, height: 20 * times },
    { x: 34, y: 2, width: 46, height: 20 },
  ];
  using from = noise(160, 90);
  using to = noise(96, 64);
  const before = to.planes.map((plane) => Buffer.from(plane));
  expect(place(from, source, to, target)).toBe(true);
  let wrong = 0;
  to.planes.forEach((plane, index) => {
    const shift = index === 0 ? 0 : 1;
    const [left, top] = [target.x >> shift, target.y >> shift];
    for (let y = 0; y < 64 >> shift; y++) {
      for (let x = 0; x < 96 >> shift; x++) {
        const at = y * (to.strides[index] ?? 0) + x;
        const [column, row] = [x - left, y - top];
        const isIn = column >= 0 && row >= 0 && column < target.width >> shift && row < target.height >> shift;
        const [fromX, fromY] = [(source.x >> shift) + column * times, (source.y >> shift) + row * times];
        const placed = times === 2 ? meanAt(from, index, fromX / 2, fromY / 2) : byteAt(from, index, fromX, fromY);
        if (plane[at] !== (isIn ? placed : before[index]?.[at])) wrong += 1;
      }
    }
  });
  expect(wrong).toBe(0);
});

test.runIf(canPlace).each([
  ['more than there is', { x: 0, y: 0, width: 128, height: 128 }, { x: 0, y: 0, width: 128, height: 128 }],
  ['a part that reaches beyond', { x: 2, y: 0, width: 64, height: 64 }, { x: 0, y: 0, width: 64, height: 64 }],
  ['rows behind the last', { x: 0, y: 2, width: 64, height: 64 }, { x: 0, y: 0, width: 32, height: 32 }],
  ['a place that reaches beyond', { x: 0, y: 0, width: 64, height: 64 }, { x: 98, y: 0, width: 64, height: 64 }],
  ['a place before the first row', { x: 0, y: 0, width: 64, height: 64 }, { x: 0, y: -2, width: 64, height: 64 }],
  ['another size', { x: 0, y: 0, width: 64, height: 64 }, { x: 0, y: 0, width: 48, height: 48 }],
])('%s is refused, and nothing is written', (_what, source, target) => {
  using from = noise(64, 64);
  using to = Picture.blank(160, 160);
  for (const plane of to.planes) plane.fill(160);
  expect(place(from, source, to, target)).toBe(false);
  expect(to.planes.every((plane) => plane.every((value) => value === 160))).toBe(true);
});

test.runIf(canPlace).each([
  ['full range', AV_PIX_FMT_YUVJ420P],
  ['chroma of both kinds in one plane', AV_PIX_FMT_NV12],
  ['chroma of full height', AV_PIX_FMT_YUV422P],
])('a picture of %s is not taken for one of I420', (_what, format) => {
  using from = Picture.blank(64, 64, format);
  using to = noise(64, 64);
  const before = Buffer.from(to.planes[0] ?? []);
  expect(place(from, boxOf(to), to, boxOf(to))).toBe(false);
  expect(Buffer.compare(before, to.planes[0] ?? Buffer.alloc(0))).toBe(0);
});

test("FFmpeg's frames are found in those of this node-av, where there is a compiler", () => {
  expect(canPlace).toBe(nativeAddon('planes') !== undefined);
});

test.runIf(canPlace)('what was released is refused', () => {
  const from = noise(64, 64);
  const to = noise(64, 64);
  const { native } = from;
  from[Symbol.dispose]();
  expect(place({ native }, boxOf(to), to, boxOf(to))).toBe(false);
  to[Symbol.dispose]();
});

test.each([
  [320, 180],
  [1_280, 720],
  [1_920, 1_080],
  [1_300, 730],
  [330, 190],
])('a cell of 320 x 180 shows all of %d x %d, and nothing beside it is touched', (width, height) => {
  using scaler = new CellScaler();
  using canvas = new Canvas(640, 360);
  canvas.open();
  canvas.fill({ x: 0, y: 0, width: 640, height: 360 }, { y: 10, u: 128, v: 128 });
  using picture = Picture.blank(width, height);
  const [luma, ...chroma] = picture.planes;
  for (const plane of chroma) plane.fill(90);
  // Four quarters of different brightness.
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (luma) luma[y * (picture.strides[0] ?? 0) + x] = 60 + (x < width / 2 ? 0 : 50) + (y < height / 2 ? 0 : 100);
    }
  }
  const target = { x: 320, y: 90, width: 320, height: 180 };
  scaler.paint(picture, { x: 0, y: 0, width, height }, 0, canvas, target);
  const at = (x: number, y: number) => canvas.picture.planes[0]?.[y * (canvas.picture.strides[0] ?? 0) + x] ?? -1;
  const near = (value: number, wanted: number) => expect(Math.abs(value - wanted)).toBeLessThanOrEqual(3);
  near(at(322, 92), 60);
  near(at(637, 92), 110);
  near(at(322, 267), 160);
  near(at(637, 267), 210);
  for (const [x, y] of [
    [318, 180],
    [400, 88],
    [400, 271],
  ] as const)
    expect(at(x, y)).toBe(10);
  const blue = canvas.picture.planes[1]?.[90 * (canvas.picture.strides[1] ?? 0) + 240];
  near(blue ?? -1, 90);
});

test.each([
  [160, 90],
  [320, 180],
  [640, 360],
  [1_300, 730],
])(
  'white and black of full range, as cameras and JPEG have it, are white and black in a cell: %d x %d',
  (width, height) => {
    using scaler = new CellScaler();
    using canvas = new Canvas(320, 180);
    canvas.open();
    for (const [full, usual] of [
      [0, 16],
      [255, 235],
    ] as const) {
      using picture = Picture.blank(width, height, AV_PIX_FMT_YUVJ420P);
      picture.planes[0]?.fill(full);
      for (const plane of picture.planes.slice(1)) plane.fill(128);
      const all = { x: 0, y: 0, width, height };
      scaler.paint(picture, all, 0, canvas, { x: 0, y: 0, width: 320, height: 180 });
      const centre = canvas.picture.planes[0]?.[(canvas.picture.strides[0] ?? 0) * 90 + 160] ?? -100;
      expect(Math.abs(centre - usual)).toBeLessThanOrEqual(1);
    }
  },
);
