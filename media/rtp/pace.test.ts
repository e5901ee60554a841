import assert from 'node:assert/strict';
import { test } from 'vitest';
import { Pace } from './pace.ts';

const sentAt = (pace: Pace, nowMs: number): number => {
  let count = 0;
  while (pace.take(nowMs)) count += 1;
  return count;
};

test('so many go at once, and then as many as the time that passes allows', () => {
  const pace = new Pace({ perMs: 10, burst: 50 });
  assert.deepEqual(
    [0, 1, 1, 1.5, 3.5].map((nowMs) => sentAt(pace, nowMs)),
    [50, 10, 0, 5, 20],
  );
});

test('who comes late sends what the others did meanwhile, but not a flood; a clock that goes back gives nothing', () => {
  const pace = new Pace({ perMs: 10, burst: 50 });
  assert.deepEqual(
    [0, 4, 1_000, 999, 1_000.5].map((nowMs) => sentAt(pace, nowMs)),
    [50, 40, 50, 0, 15],
  );
});
