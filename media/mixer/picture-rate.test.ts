import { expect, test } from 'vitest';
import { PictureRate } from './picture-rate.ts';

/** A source of 30 pictures a second, each of which takes so long, for some seconds. @returns how many were worked at in each */
function workedAt(rate: PictureRate, { seconds, tookUs }: { seconds: number; tookUs: number }, fromS = 0): number[] {
  return Array.from({ length: seconds }, (_, second) => {
    let count = 0;
    for (let n = 0; n < 30; n++) {
      const nowUs = (fromS + second) * 1e6 + (n * 1e6) / 30;
      if (!rate.takes(nowUs)) continue;
      count += 1;
      rate.noteWork(nowUs + tookUs, tookUs);
    }
    rate.review();
    return count;
  });
}

const loopAt = (utilization: { of: number }) =>
  (() => ({ idle: 0, active: 0, utilization: utilization.of })) as ConstructorParameters<typeof PictureRate>[0];

test('all pictures are worked at while there is time for it', () => {
  const rate = new PictureRate(loopAt({ of: 0.6 }));
  expect(workedAt(rate, { seconds: 3, tookUs: 20_000 })).toEqual([30, 30, 30]);
  expect(rate.skipped).toBe(0);
});

test('in a busy process fewer are, down to a quarter, evenly, and all again after easy seconds', () => {
  const busy = { of: 1 };
  const rate = new PictureRate(loopAt(busy));
  const counts = workedAt(rate, { seconds: 6, tookUs: 10_000 });
  for (const [second, expected] of [30, 20, 15, 10, 7.5, 7.5].entries()) {
    expect(Math.abs((counts[second] ?? 0) - expected)).toBeLessThanOrEqual(1);
  }
  expect(rate.review()).toBeCloseTo(7.5);
  busy.of = 0.1;
  expect(workedAt(rate, { seconds: 20, tookUs: 10_000 }, 6).at(-1)).toBe(30);
});

test('what takes nearly all the time leaves a part of it to others', () => {
  const rate = new PictureRate(loopAt({ of: 0.9 }));
  const [first = 0] = workedAt(rate, { seconds: 1, tookUs: 32_000 });
  expect(first).toBeLessThan(30);
  expect(rate.skipped).toBe(30 - first);
  // That is one in two, and so it goes slower from then on.
  expect(rate.review()).toBeLessThan(30);
});
