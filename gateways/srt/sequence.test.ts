import fc from 'fast-check';
import { expect, test } from 'vitest';
import { extendSequence, sequenceAfter, sequenceDistance, wrapSequence } from './sequence.ts';

const number = fc.integer({ min: 0, max: 0x7fffffff });
const step = fc.integer({ min: -0x3fffffff, max: 0x3fffffff });

test('a distance leads from one number to the other, past the wrap at 2^31 too', () => {
  fc.assert(
    fc.property(number, step, (from, distance) => {
      const to = sequenceAfter(from, distance);
      expect(to).toBeGreaterThanOrEqual(0);
      expect(sequenceDistance(from, to)).toBe(distance);
    }),
  );
});

test('an extended number counts on where the field wraps', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0x80000000, max: 2 ** 45 }), step, (near, distance) => {
      expect(extendSequence(wrapSequence(near + distance), near)).toBe(near + distance);
    }),
  );
});
