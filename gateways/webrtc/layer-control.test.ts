import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initialLayers, type LayerState, type LineReport, nextLayers } from './layer-control.ts';

const good: LineReport = { score: 10, fractionLost: 0 };
const lossy: LineReport = { score: 10, fractionLost: 0.2 };
const weak: LineReport = { score: 5, fractionLost: 0 };

/** Reports every two seconds, as many as given. */
function run(state: LayerState, reports: readonly LineReport[], startMs: number, highest = 2): LayerState[] {
  const states: LayerState[] = [];
  let current = state;
  for (const [i, report] of reports.entries()) {
    current = nextLayers(current, report, highest, startMs + i * 2_000);
    states.push(current);
  }
  return states;
}

const times = (count: number, report: LineReport) => Array.from({ length: count }, () => report);
const layers = (states: readonly LayerState[]) => states.map(({ layer }) => layer);

test('a good line keeps the highest layer', () => {
  expect(layers(run(initialLayers(2, 0), times(5, good), 0))).toEqual([2, 2, 2, 2, 2]);
});

test.each([
  ['loss', lossy],
  ['a low score', weak],
])('%s takes one layer at a time, down to the lowest', (_, report) => {
  expect(layers(run(initialLayers(2, 0), times(4, report), 0))).toEqual([1, 0, 0, 0]);
});

test('ten good seconds give one layer back, and ten more the next', () => {
  const down: LayerState = { layer: 0, goodSinceMs: 0, patienceMs: 10_000, triedAtMs: undefined };
  expect(layers(run(down, times(12, good), 0))).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]);
});

test('a little loss neither takes nor gives', () => {
  const down: LayerState = { layer: 1, goodSinceMs: 0, patienceMs: 10_000, triedAtMs: undefined };
  expect(layers(run(down, times(20, { score: 9, fractionLost: 0.05 }), 0))).toEqual(times(20, good).map(() => 1));
});

test('a step up that was too much makes the next one wait twice as long, until one has held', () => {
  const tried: LayerState = { layer: 1, goodSinceMs: 0, patienceMs: 10_000, triedAtMs: 0 };
  const back = nextLayers(tried, lossy, 2, 4_000);
  expect(back).toEqual({ layer: 0, goodSinceMs: 4_000, patienceMs: 20_000, triedAtMs: undefined });
  const states = run(back, times(25, good), 6_000);
  expect(layers(states).indexOf(1)).toBe(9);
  expect(states.at(-1)).toMatchObject({ layer: 2, patienceMs: 10_000 });
  expect(layers(run(back, times(9, good), 6_000)).at(-1)).toBe(0);
});

test('what the receiver wants less of is taken away at once', () => {
  expect(nextLayers(initialLayers(2, 0), good, 0, 1_000).layer).toBe(0);
});

test('whatever the reports, the layer is one that there is', () => {
  const report = fc.record({ score: fc.nat(10), fractionLost: fc.double({ min: 0, max: 1, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(report, { maxLength: 60 }), fc.nat(3), (reports, highest) => {
      const all = run(initialLayers(highest, 0), reports, 0, highest);
      return all.every(({ layer, patienceMs }) => layer >= 0 && layer <= highest && patienceMs <= 160_000);
    }),
  );
});
