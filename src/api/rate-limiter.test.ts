import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, test, vi } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { MemoryRateLimiter } from './rate-limiter.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const isRefused = (run: () => void): number | undefined => {
  try {
    run();
    return undefined;
  } catch (thrown) {
    assert.ok(thrown instanceof GatewayError && thrown.code === 'rate_limited');
    return thrown.retryAfterMs;
  }
};

test('lets as many through as it says, then says when to come back, and then lets one through', () => {
  const limiter = new MemoryRateLimiter({ points: 3, windowMs: 30_000, what: 'requests' });
  for (let i = 0; i < 3; i++) limiter.consume('a');
  assert.equal(
    isRefused(() => limiter.consume('a')),
    10_000,
  );
  vi.advanceTimersByTime(9_999);
  assert.ok(isRefused(() => limiter.consume('a')));
  vi.advanceTimersByTime(1);
  limiter.consume('a');
  assert.ok(isRefused(() => limiter.consume('a')));
});

test('keys do not share, points count, and a pause fills the bucket but no more', () => {
  const limiter = new MemoryRateLimiter({ points: 10, windowMs: 1_000, what: 'requests' });
  limiter.consume('a', 10);
  limiter.consume('b', 10);
  assert.ok(isRefused(() => limiter.consume('a')));
  vi.advanceTimersByTime(1e9);
  limiter.consume('a', 10);
  assert.ok(isRefused(() => limiter.consume('a')));
});

test('check() takes nothing', () => {
  const limiter = new MemoryRateLimiter({ points: 1, windowMs: 1_000, what: 'requests' });
  for (let i = 0; i < 5; i++) limiter.check('a');
  limiter.consume('a');
  assert.ok(isRefused(() => limiter.check('a')));
});

test('a flood of new keys does not grow it: only the longest unseen are forgotten', () => {
  const limiter = new MemoryRateLimiter({ points: 2, windowMs: 60_000, what: 'requests', maxKeys: 10 });
  limiter.consume('keen', 2);
  for (let i = 0; i < 9; i++) limiter.consume(`flood-${i}`);
  assert.ok(isRefused(() => limiter.consume('keen')));
  for (let i = 0; i < 20; i++) limiter.consume(`later-${i}`, 2);
  limiter.consume('keen');
});
