import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

test('a burst is free, then each taking waits for its share of a second', () => {
  const bucket = new TokenBucket(10, 3, 0);
  expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 0]);
  expect(bucket.take(0)).toBe(100);
  expect(bucket.take(0)).toBe(200);
});

test('time pays debts and refills no further than the burst', () => {
  const bucket = new TokenBucket(10, 3, 0);
  for (let i = 0; i < 5; i++) bucket.take(0);
  expect(bucket.take(300)).toBe(0);
  expect([bucket.take(60_000), bucket.take(60_000), bucket.take(60_000), bucket.take(60_000)]).toEqual([0, 0, 0, 100]);
});

test('a clock that steps back gives nothing and takes nothing away', () => {
  const bucket = new TokenBucket(10, 1, 1_000);
  expect(bucket.take(500)).toBe(0);
  expect(bucket.take(400)).toBe(100);
});

test('what is refused is not owed', () => {
  const bucket = new TokenBucket(10, 1, 0);
  expect([bucket.tryTake(0), bucket.tryTake(0), bucket.tryTake(0)]).toEqual([0, 100, 100]);
  expect([bucket.tryTake(100), bucket.tryTake(100)]).toEqual([0, 100]);
});
