import { expect, test } from 'vitest';
import { colourOf, initialsOf } from './names.ts';

test.each([
  ['Ada Lovelace', 'AL'],
  ['ada', 'A'],
  ['Jean Luc Le Grand', 'JG'],
  ['  ', ''],
  ['😀 smile', '😀S'],
  ['éloïse', 'É'],
])('%s has the initials %s', (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});

test('a participant has one colour of eight', () => {
  expect(colourOf('PA_1')).toBe(colourOf('PA_1'));
  for (let index = 0; index < 100; index++) expect(colourOf(`PA_${index}`)).toBeLessThan(8);
});
