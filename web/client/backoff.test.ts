import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const options = { firstMs: 400, maxMs: 8_000 };

test.each([
  [1, 0, 200],
  [1, 1, 400],
  [2, 0, 400],
  [3, 0.5, 1_200],
  [6, 0, 4_000],
  [60, 1, 8_000],
])('attempt %i with random %d waits %i ms', (attempt, random, expected) => {
  expect(backoffMs(attempt, random, options)).toBe(expected);
});

test('no wait is shorter than half of the one that its attempt allows', () => {
  for (let attempt = 1; attempt < 12; attempt++) {
    expect(backoffMs(attempt, 0, options) * 2).toBe(backoffMs(attempt, 1, options));
  }
});
