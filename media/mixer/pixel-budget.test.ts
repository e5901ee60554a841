import { expect, test } from 'vitest';
import { PixelBudget } from './pixel-budget.ts';

/** @returns how many of so many pictures were taken before it was too much */
function taken(pixels: number, framerateHz: number, pictures: number, codec: 'h264' | 'vp8' = 'h264'): number {
  const budget = new PixelBudget();
  for (let index = 0; index < pictures; index++) {
    if (budget.spend(pixels, codec, (index * 1e6) / framerateHz)) return index;
  }
  return pictures;
}

test('what cameras and screens send is never too much, however long', () => {
  expect(taken(4_096 * 2_160, 60, 6_000)).toBe(6_000);
  expect(taken(1_280 * 720, 240, 20_000)).toBe(20_000);
  expect(taken(1_920 * 1_080, 60, 6_000, 'vp8')).toBe(6_000);
});

test('the largest pictures at the highest rates are, and may come again after a rest', () => {
  expect(taken(4_096 * 4_096, 120, 1_000)).toBeLessThan(12);
  expect(taken(4_096 * 2_160, 60, 1_000, 'vp8')).toBeLessThan(12);
  const budget = new PixelBudget();
  while (!budget.spend(4_096 * 4_096, 'h264', 1_000_000));
  expect(budget.isResting(5_900_000)).toBe(true);
  expect(budget.isResting(6_000_000)).toBe(false);
  expect(budget.spend(4_096 * 4_096, 'h264', 6_000_000)).toBe(false);
});
