import { expect, test } from 'vitest';
import { duoRects, gridRects, pageLength, type Rect, type Size, spotlightRects, tileAspects } from './layout.ts';

const desktop = { width: 1_260, height: 640 };
const phone = { width: 374, height: 640 };

function overlap(a: Rect, b: Rect): boolean {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
}

function isInside({ left, top, width, height }: Rect, stage: Size): boolean {
  return left >= 0 && top >= 0 && left + width <= stage.width && top + height <= stage.height;
}

test.each([1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 25])('%i tiles fit the stage and never overlap', (count) => {
  for (const stage of [desktop, phone, { width: 844, height: 260 }]) {
    const rects = gridRects(count, stage, tileAspects(stage));
    expect(rects).toHaveLength(count);
    for (const [index, rect] of rects.entries()) {
      expect(isInside(rect, stage)).toBe(true);
      expect(rects.slice(index + 1).some((other) => overlap(rect, other))).toBe(false);
    }
  }
});

test('five tiles on a desktop stand in rows of three and two, the second centred', () => {
  const rects = gridRects(5, desktop);
  expect(new Set(rects.map(({ top }) => top)).size).toBe(2);
  expect(rects[3]?.left).toBeGreaterThan(rects[0]?.left ?? 0);
});

test('two tiles on a portrait phone stand one above the other', () => {
  const [first, second] = gridRects(2, phone, tileAspects(phone));
  expect(first?.left).toBe(second?.left);
});

test('a stage without size has no tiles', () => {
  expect(gridRects(3, { width: 0, height: 0 })).toEqual([]);
});

test('the strip stands beside the large tile on a desktop and below it on a phone', () => {
  const wide = spotlightRects(3, desktop);
  expect(wide.strip.every(({ left }) => left > wide.main.width)).toBe(true);
  const high = spotlightRects(3, phone);
  expect(high.strip.every(({ top }) => top > high.main.height)).toBe(true);
});

test('a strip shows as many as fit', () => {
  const { strip } = spotlightRects(40, desktop);
  expect(strip.length).toBeLessThan(40);
  expect(strip.every((rect) => isInside(rect, desktop))).toBe(true);
});

test('alone in the spotlight one has the whole stage', () => {
  expect(spotlightRects(0, desktop).main).toMatchObject(desktop);
});

test('of two, oneself stands in the corner of the other', () => {
  for (const stage of [desktop, phone]) {
    const { other, self } = duoRects(stage);
    expect(isInside(self, stage)).toBe(true);
    expect(other).toMatchObject(stage);
    expect(self.width).toBeLessThan(stage.width / 3);
  }
});

test('a page holds fewer tiles on a phone than on a desktop, and never none', () => {
  expect(pageLength(phone)).toBeLessThan(pageLength(desktop));
  expect(pageLength({ width: 100, height: 100 })).toBe(4);
});
