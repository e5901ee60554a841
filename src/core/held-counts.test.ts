import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { HeldCounts } from './held-counts.ts';

test('places are counted for each key and together, and given back once', () => {
  const counts = new HeldCounts();
  const [first, second, other] = [counts.take('a'), counts.take('a'), counts.take('b')];
  assert.deepEqual([counts.of('a'), counts.of('b'), counts.of('c'), counts.total], [2, 1, 0, 3]);
  first();
  first();
  assert.deepEqual([counts.of('a'), counts.total], [1, 2]);
  second();
  other();
  assert.deepEqual([counts.of('a'), counts.of('b'), counts.total], [0, 0, 0]);
});
