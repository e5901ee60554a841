import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';
import { timeText } from './time-text.ts';

test('a moment reads as Date has it, before 1970 and in years of more digits too', () => {
  const moment = fc.oneof(
    fc.integer({ min: -8.64e15, max: 8.64e15 }),
    fc.integer({ min: -5_000, max: 5_000 }),
    fc.double({ min: -1e13, max: 1e13, noNaN: true }),
  );
  fc.assert(
    fc.property(moment, (epochMs) => {
      assert.equal(timeText(epochMs), new Date(epochMs).toISOString());
    }),
    { numRuns: 5_000 },
  );
});

test('what is no moment is refused, also after one that was', () => {
  timeText(0);
  for (const epochMs of [Number.NaN, Number.POSITIVE_INFINITY, 8.65e15])
    assert.throws(() => timeText(epochMs), RangeError);
});
