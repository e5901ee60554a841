import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { retryDelayMs } from './backoff.ts';

const settings = { firstRetryMs: 1_000, maxRetryMs: 600_000 };

test('waits double up to the longest, and chance takes up to half away', () => {
  assert.deepEqual(
    [1, 2, 3, 10, 11, 60, 10_000].map((failures) => retryDelayMs(failures, settings, 1)),
    [1_000, 2_000, 4_000, 512_000, 600_000, 600_000, 600_000],
  );
  assert.equal(retryDelayMs(1, settings, 0), 500);
  assert.equal(retryDelayMs(10_000, settings, 0), 300_000);
});
