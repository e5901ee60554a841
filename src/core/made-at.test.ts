import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { MadeAt } from './made-at.ts';

test('what is made in one millisecond has times one after another, and a clock that is set back is followed', () => {
  const madeAt = new MadeAt();
  const given = [10_000, 10_000, 10_000, 10_001, 10_009, 1_000, 1_000];
  assert.deepEqual(
    given.map((nowMs) => madeAt.next(nowMs)),
    [10_000, 10_001, 10_002, 10_003, 10_009, 1_000, 1_001],
  );
});
