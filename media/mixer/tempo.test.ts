import { expect, test } from 'vitest';
import { initialTempo, missedShare, nextTempo, tempoSteps } from './tempo.ts';

const busy = { utilization: 0.99, skippedShare: 0 };
const late = { utilization: 0.5, skippedShare: 0.3 };
const easy = { utilization: 0.3, skippedShare: 0 };

test('too much work makes it slower at once, down to a quarter', () => {
  let state = nextTempo(initialTempo, busy);
  expect(tempoSteps[state.step]).toBe(2 / 3);
  for (let i = 0; i < 20; i++) state = nextTempo(state, late);
  expect(tempoSteps[state.step]).toBe(1 / 4);
});

test('it gets faster again after four easy seconds, one step at a time', () => {
  let state = { step: 2, easySeconds: 0 };
  for (let i = 0; i < 3; i++) state = nextTempo(state, easy);
  expect(state.step).toBe(2);
  expect(nextTempo(state, easy)).toEqual({ step: 1, easySeconds: 0 });
});

test('it does not try what would be too much again', () => {
  let state = { step: 1, easySeconds: 3 };
  for (let i = 0; i < 20; i++) state = nextTempo(state, { utilization: 0.6, skippedShare: 0 });
  expect(state.step).toBe(1);
});

test('ticks that a process missed for want of time make it slower, and those of a moment that held it up do not', () => {
  const after = (ticks: number, skipped: number, utilization: number) =>
    nextTempo(initialTempo, { utilization, skippedShare: missedShare(ticks, skipped, utilization) }).step;
  // A tick that takes longer than there is for one is followed by a quarter of that time: four parts in five at the least.
  expect(after(24, 6, 0.8)).toBe(1);
  expect(after(28, 2, 0.8)).toBe(0);
  expect(after(22, 8, 0.4)).toBe(0);
  expect(after(6, 1, 0.4)).toBe(0);
});
