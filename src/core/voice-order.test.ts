import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VoiceOrder } from './voice-order.ts';

const heard = (...levels: [id: string, levelDbov: number][]) => levels.map(([id, levelDbov]) => ({ id, levelDbov }));
const placed = (order: VoiceOrder<string>, ids: string) => [...ids].filter((id) => order.rankOf(id) < 2).join('');

test('places go to who is heard, and stay with who pauses for a breath', () => {
  const order = new VoiceOrder<string>(2);
  expect(order.hear(heard(['a', -20], ['b', -25]), 0)).toBe(true);
  expect(order.hear(heard(['c', -24]), 300)).toBe(false);
  expect(placed(order, 'abc')).toBe('ab');
  expect(order.hear(heard(['a', -20], ['c', -24]), 1_400)).toBe(true);
  expect(placed(order, 'abc')).toBe('ac');
});

test('who is clearly louder takes the place of the quietest, a little louder is not enough', () => {
  const order = new VoiceOrder<string>(2);
  order.hear(heard(['a', -20], ['b', -30]), 0);
  expect(order.hear(heard(['a', -20], ['c', -27], ['b', -30]), 300)).toBe(false);
  expect(order.hear(heard(['c', -15], ['a', -20], ['b', -30]), 600)).toBe(true);
  expect(placed(order, 'abc')).toBe('ac');
});

test('who leaves makes room, and who was never heard has no rank', () => {
  const order = new VoiceOrder<string>(2);
  order.hear(heard(['a', -20], ['b', -30], ['c', -31]), 0);
  order.forget('a');
  expect(placed(order, 'abc')).toBe('bc');
  expect(order.rankOf('a')).toBe(Number.POSITIVE_INFINITY);
});

test('everybody who was heard has a rank of his own, whatever happens', () => {
  const levels = fc.array(
    fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e'), levelDbov: fc.integer({ min: -60, max: 0 }) }),
  );
  fc.assert(
    fc.property(fc.array(levels, { maxLength: 20 }), (rounds) => {
      const order = new VoiceOrder<string>(3);
      const seen = new Set<string>();
      for (const [index, round] of rounds.entries()) {
        order.hear(round, index * 300);
        for (const { id } of round) seen.add(id);
      }
      const ranks = [...seen].map((id) => order.rankOf(id)).sort((a, b) => a - b);
      expect(ranks).toEqual([...ranks.keys()]);
    }),
  );
});
