import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseLastN } from './last-n.ts';

const never = Number.POSITIVE_INFINITY;
const candidate = (id: string, speakerRank = never, isExempt = false) => ({ id, speakerRank, isExempt });

test.each([
  ['all when n is negative', [candidate('a'), candidate('b')], -1, ['a', 'b']],
  ['none when n is 0', [candidate('a', 0), candidate('b')], 0, []],
  ['who spoke last', [candidate('a', 2), candidate('b', 0), candidate('c', 1)], 2, ['b', 'c']],
  [
    'speakers before those who never spoke, those in their order',
    [candidate('a'), candidate('b'), candidate('c', 5)],
    2,
    ['a', 'c'],
  ],
  ['exempt ones on top of n', [candidate('a', 0), candidate('b', 1), candidate('s', never, true)], 1, ['a', 's']],
])('%s', (_, candidates, n, expected) => {
  expect([...chooseLastN(candidates, n)].sort()).toEqual(expected);
});

test('never more than n besides the exempt, and nobody held back while there is room', () => {
  const arbitrary = fc.record({
    speakerRank: fc.oneof(fc.nat(10), fc.constant(never)),
    isExempt: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 30 }), fc.nat(10), (drawn, n) => {
      const candidates = drawn.map((each, id) => ({ ...each, id }));
      const exempt = candidates.filter((each) => each.isExempt).length;
      const chosen = chooseLastN(candidates, n);
      expect(chosen.size).toBe(exempt + Math.min(n, candidates.length - exempt));
    }),
  );
});
