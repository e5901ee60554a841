import { expect, test } from 'vitest';
import { ordersAfterMove } from './rule-order.ts';

type Rules = Readonly<Record<string, number>>;
const listed = (rules: Rules) => Object.entries(rules).map(([id, order]) => ({ id, order }));

/** As the server sorts them: by order, then as they were made, which is by name here. */
function after(rules: Rules, id: string, steps: -1 | 1): string {
  const changed = ordersAfterMove(listed(rules), id, steps);
  const now = { ...rules, ...Object.fromEntries(changed.map((rule) => [rule.id, rule.order])) };
  return listed(now)
    .sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1))
    .map((rule) => rule.id)
    .join('');
}

test.each<[string, Rules, string, -1 | 1, string]>([
  ['up', { a: 10, b: 20, c: 30 }, 'c', -1, 'acb'],
  ['down', { a: 10, b: 20, c: 30 }, 'a', 1, 'bac'],
  ['up, all of one order', { a: 100, b: 100, c: 100, d: 100 }, 'c', -1, 'acbd'],
  ['down, all of one order', { a: 100, b: 100, c: 100, d: 100 }, 'a', 1, 'bacd'],
  ['to the top, from nought', { a: 0, b: 0 }, 'b', -1, 'ba'],
  ['with a neighbour right behind', { a: 10, b: 11, c: 12, d: 12 }, 'a', 1, 'bacd'],
  ['past the end', { a: 10, b: 20 }, 'b', 1, 'ab'],
  ['past the beginning', { a: 10, b: 20 }, 'a', -1, 'ab'],
  ['one that is not there', { a: 10, b: 20 }, 'x', 1, 'ab'],
])('a rule is moved %s', (_, rules, id, steps, expected) => {
  expect(after(rules, id, steps)).toBe(expected);
});

test('as few are changed as can be, the last first', () => {
  expect(ordersAfterMove(listed({ a: 10, b: 20, c: 30, d: 90 }), 'c', -1)).toEqual([{ id: 'b', order: 31 }]);
  expect(ordersAfterMove(listed({ a: 1, b: 1, c: 1 }), 'b', -1)).toEqual([
    { id: 'c', order: 3 },
    { id: 'a', order: 2 },
  ]);
});
