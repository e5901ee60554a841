import assert from 'node:assert/strict';
import { afterEach, beforeEach, test, vi } from 'vitest';
import { DueQueue } from './due-queue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('each is due its time after it came, in the order of their coming, a little late at the most', () => {
  const due: [number, number][] = [];
  const start = performance.now();
  const queue = new DueQueue<number>(1_000, (item) => due.push([item, performance.now() - start]));
  for (let item = 0; item < 200; item++) {
    queue.add(item);
    vi.advanceTimersByTime(7);
  }
  vi.advanceTimersByTime(1_100);
  assert.deepEqual(
    due.map(([item]) => item),
    Array.from({ length: 200 }, (_, item) => item),
  );
  for (const [item, atMs] of due)
    assert.ok(atMs >= item * 7 + 999 && atMs <= item * 7 + 1_021, `${item} at ${atMs} ms`);
  assert.equal(vi.getTimerCount(), 0);
});

test('what is put in while others come due is not lost, and nothing comes after clear()', () => {
  let count = 0;
  const queue = new DueQueue<() => void>(100, (then) => {
    count++;
    then();
  });
  queue.add(() => queue.add(() => undefined));
  vi.advanceTimersByTime(300);
  assert.deepEqual([count, vi.getTimerCount()], [2, 0]);
  queue.add(() => undefined);
  queue.clear();
  vi.advanceTimersByTime(300);
  assert.deepEqual([count, vi.getTimerCount()], [2, 0]);
});

test('what is put in while others come due does not put off those that were there before it', () => {
  const due: [string, number][] = [];
  const start = performance.now();
  const queue = new DueQueue<string>(1_000, (item) => {
    due.push([item, performance.now() - start]);
    if (item === 'first') queue.add('new');
  });
  queue.add('first');
  vi.advanceTimersByTime(400);
  queue.add('second');
  vi.advanceTimersByTime(2_000);
  assert.deepEqual(due, [
    ['first', 1_000],
    ['second', 1_400],
    ['new', 2_000],
  ]);
  assert.equal(vi.getTimerCount(), 0);
});
