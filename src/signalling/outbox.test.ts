import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Outbox } from './outbox.ts';

test('replay gives what came after a number, in order and numbered without gaps', () => {
  const outbox = new Outbox<string>();
  for (const item of ['a', 'b', 'c']) outbox.push(item);
  expect(outbox.replay(1)).toEqual([
    { seq: 2, item: 'b' },
    { seq: 3, item: 'c' },
  ]);
  expect(outbox.replay(3)).toEqual([]);
});

test('replay is undefined when the ring has forgotten, and for numbers never given', () => {
  const outbox = new Outbox<number>(2);
  for (const item of [1, 2, 3]) outbox.push(item);
  expect(outbox.replay(0)).toBeUndefined();
  expect(outbox.replay(1)?.map(({ item }) => item)).toEqual([2, 3]);
  expect(outbox.replay(4)).toBeUndefined();
});

test('whatever is replayed continues exactly at the number asked for', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.integer({ min: 1, max: 50 }), fc.nat(220), (pushes, capacity, after) => {
      const outbox = new Outbox<number>(capacity);
      for (let i = 1; i <= pushes; i++) outbox.push(i);
      const replayed = outbox.replay(after);
      const isKept = after <= pushes && after >= pushes - Math.min(capacity, pushes);
      expect(replayed !== undefined).toBe(isKept);
      replayed?.forEach(({ seq, item }, index) => {
        expect(seq).toBe(after + 1 + index);
        expect(item).toBe(seq);
      });
    }),
  );
});
