import { expect, test } from 'vitest';
import { linkTo, type Route, routeOf } from './console.ts';

test.each<[string, Route]>([
  ['', { page: 'rooms' }],
  ['#/rooms', { page: 'rooms' }],
  ['#/rooms/demo', { page: 'room', room: 'demo' }],
  ['#/rooms/a%20b', { page: 'room', room: 'a b' }],
  ['#/keys', { page: 'keys' }],
  ['#/server', { page: 'server' }],
  ['#/trunks', { page: 'trunks' }],
  ['#/nonsense', { page: 'rooms' }],
])('the fragment %s is its page', (fragment, route) => {
  expect(routeOf(fragment)).toEqual(route);
});

test('links lead back to where they were made', () => {
  for (const route of [{ page: 'room', room: 'a/b#c' }, { page: 'keys' }] as Route[]) {
    expect(routeOf(linkTo(route))).toEqual(route);
  }
});
