import assert from 'node:assert/strict';
import { test } from 'vitest';
import { GuessGuard } from './guess-guard.ts';

function guardAt(clock: { nowMs: number }, maxKeys?: number) {
  return new GuessGuard(
    {
      free: 3,
      firstWaitMs: 30_000,
      maxWaitMs: 3_600_000,
      forgetMs: 86_400_000,
      what: 'wrong PINs',
      ...(maxKeys !== undefined && { maxKeys }),
    },
    () => clock.nowMs,
  );
}

test('the third wrong guess locks out, each further one twice as long, up to an hour', () => {
  const clock = { nowMs: 0 };
  const guard = guardAt(clock);
  const waits = Array.from({ length: 12 }, () => guard.noteWrong('a'));
  assert.deepEqual(waits.slice(0, 5), [0, 0, 30_000, 60_000, 120_000]);
  assert.equal(waits.at(-1), 3_600_000);
  assert.throws(() => guard.check('a'), { code: 'rate_limited', retryAfterMs: 3_600_000 });
  guard.check('b');
});

test('the lock ends by itself, a right guess and a day without any forget it all', () => {
  const clock = { nowMs: 0 };
  const guard = guardAt(clock);
  for (let i = 0; i < 3; i++) guard.noteWrong('a');
  clock.nowMs = 29_999;
  assert.throws(() => guard.check('a'), /try again in 1 s/);
  clock.nowMs = 30_000;
  guard.check('a');
  assert.equal(guard.noteWrong('a'), 60_000);
  guard.noteRight('a');
  assert.equal(guard.noteWrong('a'), 0);
  for (let i = 0; i < 5; i++) guard.noteWrong('a');
  clock.nowMs += 86_400_000;
  guard.check('a');
  assert.equal(guard.noteWrong('a'), 0);
});

test('remembers no more keys than it may, those longest not seen go first', () => {
  const guard = guardAt({ nowMs: 0 }, 2);
  for (const key of ['a', 'a', 'a', 'b', 'c']) guard.noteWrong(key);
  guard.check('a');
  assert.equal(guard.noteWrong('c'), 0);
});
