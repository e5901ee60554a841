import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLossReport, serializeLossReport } from './loss-report.ts';

const numbersOf = (ranges: readonly (readonly [number, number])[]) =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));

test('what is lost is told, single packets and runs alike', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 2_000 }), { maxLength: 150 }), (some) => {
      const lost = some.sort((a, b) => a - b);
      expect(numbersOf(parseLossReport(serializeLossReport(lost)))).toEqual(lost);
    }),
  );
});

test('a run across the wrap of the numbers is one range', () => {
  expect(parseLossReport(serializeLossReport([0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001]))).toEqual([
    [0x7ffffffe, 1],
  ]);
});

test('a report fits into one datagram; of more losses its beginning is told', () => {
  const body = serializeLossReport(Array.from({ length: 4_000 }, (_, i) => i * 2));
  expect(body.length).toBeLessThanOrEqual(1_440);
  expect(parseLossReport(body).slice(0, 3)).toEqual([
    [0, 0],
    [2, 2],
    [4, 4],
  ]);
});

test('any bytes are some ranges of valid numbers', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (any) => {
      for (const number of parseLossReport(Buffer.from(any)).flat()) {
        expect(number).toBeGreaterThanOrEqual(0);
        expect(number).toBeLessThanOrEqual(0x7fffffff);
      }
    }),
  );
});
