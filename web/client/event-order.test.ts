import { expect, test } from 'vitest';
import { EventOrder } from './event-order.ts';

test('events are applied in order, once each, and a hole is noticed', () => {
  const order = new EventOrder();
  expect([1, 2, 2, 1, 4, 3, 4].map((seq) => order.judge(seq))).toEqual([
    'apply',
    'apply',
    'repeat',
    'repeat',
    'gap',
    'apply',
    'apply',
  ]);
  expect(order.lastSeq).toBe(4);
});

test('transient events are applied always and move nothing', () => {
  const order = new EventOrder();
  expect(order.judge(undefined)).toBe('apply');
  expect(order.lastSeq).toBe(0);
});
