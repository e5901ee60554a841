import { expect, test } from 'vitest';
import { ViewClock } from './view-clock.ts';

test.each([5, 24, 25, 29.97, 30, 50, 60])('a clock of %d Hz says that it is one', (framerateHz) => {
  const clock = new ViewClock(framerateHz, () => undefined);
  expect(clock.framerateHz).toBe(framerateHz);
  clock.framerateHz = 15;
  expect(clock.framerateHz).toBe(15);
});
