import { expect, test } from 'vitest';
import { spokenPin } from './spoken-pin.ts';

test.each([
  ['471100', '471 100'],
  ['4711', '47 11'],
  ['12345', '123 45'],
])('the PIN %s is read out as %s', (pin, spoken) => expect(spokenPin(pin)).toBe(spoken));
