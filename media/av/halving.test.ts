import { randomFillSync } from 'node:crypto';
import { AV_PIX_FMT_YUVJ420P } from 'node-av/constants';
import { expect, test } from 'vitest';
import { Canvas, CellScaler } from './canvas.ts';
import { canHalve, halve } from './halving.ts';
import { Picture } from './picture.ts';

function noise(width: number, height: number): Picture {
  const picture = Picture.blank(width, height);
  for (const plane of picture.planes) randomFillSync(plane);
  return picture;
}

/** The mean of four, of a plane at a place. */
function meanAt({ planes, strides }: Picture, plane: number, x: number, y: number): number {
  const [bytes, stride = 0] = [planes[plane], strides[plane]];
  let sum = 2;
  for (const row of [2 * y, 2 * y + 1])
    sum += (bytes?.[row * stride + 2 * x] ?? 0) + (bytes?.[row * stride + 2 * x + 1] ?? 0);
  return sum >> 2;
}

test.runIf(canHalve).each([
  [640, 360],
  [34, 18],
  [2, 2],
  [46, 4],
])('each byte of %d x %d is the mean of four', (width, height) => {
  using from = noise(2 * width, 2 * height);
  using to = Picture.blank(width, height);
  expect(halve(from, to, width, height)).toBe(true);
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

test.runIf(canHalve)('what is too small for it is refused, and nothing is written', () => {
  using from = noise(64, 64);
  using to = Picture.blank(128, 128);
  const before = Buffer.from(to.planes[0] ?? []);
  expect(halve(from, to, 128, 128)).toBe(false);
  expect(Buffer.compare(before, to.planes[0] ?? Buffer.alloc(0))).toBe(0);
});

test.each([
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
