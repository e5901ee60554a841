import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginningOf, cellBetween, eased } from './transition.ts';

const canvas = { width: 1_280, height: 720 };
const cell = (x: number, y: number, width: number, height: number) =>
  ({ regionId: '1', x, y, width, height, fitPolicy: 'crop' }) as const;

test('a cell is half way in the middle of its time, slow at both ends, and where it belongs at the end', () => {
  const [from, to] = [cell(0, 0, 1_280, 720), cell(640, 360, 640, 360)];
  expect(cellBetween(from, to, eased(0.5), canvas)).toEqual(cell(320, 180, 960, 540));
  expect([eased(0), eased(1), eased(7)]).toEqual([0, 1, 1]);
  expect(eased(0.1)).toBeLessThan(0.05);
  expect(cellBetween(from, to, 1, canvas)).toBe(to);
  expect(cellBetween(beginningOf(to), to, 0, canvas)).toEqual(cell(800, 450, 320, 180));
});

test('wherever it is, it can be painted', () => {
  const side = fc.integer({ min: 8, max: 2_048 }).map((half) => half * 2);
  fc.assert(
    fc.property(
      side,
      side,
      fc.array(fc.nat(10_000), { minLength: 8, maxLength: 8 }),
      fc.nat(99),
      (w, h, parts, way) => {
        const size = { width: w, height: h };
        const some = ([x = 0, y = 0, width = 0, height = 0]: number[]) => {
          const [wide, high] = [Math.min(w, 16 + (width % w)), Math.min(h, 16 + (height % h))];
          return cell(x % (w - wide + 1), y % (h - high + 1), wide, high);
        };
        const found = cellBetween(some(parts.slice(0, 4)), some(parts.slice(4)), way / 100, size);
        const all = [found.x, found.y, found.width, found.height];
        expect(all.every((value) => value >= 0 && value % 2 === 0)).toBe(true);
        expect(found.width % 16 === 0 || found.x + found.width === w).toBe(true);
        expect(found.x + found.width).toBeLessThanOrEqual(w);
        expect(found.y + found.height).toBeLessThanOrEqual(h);
        expect(Math.min(found.width, found.height)).toBeGreaterThanOrEqual(2);
      },
    ),
  );
});
