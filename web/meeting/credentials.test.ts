import { expect, test } from 'vitest';
import { readInvitation, roomOfPath, tokenOfFragment } from './credentials.ts';

test.each([
  ['/r/demo', 'demo'],
  ['/r/demo/', 'demo'],
  ['/r/a%20b', 'a b'],
  ['/r/', undefined],
  ['/r/a/b', undefined],
  ['/r/%E0%A4%A', undefined],
  ['/console', undefined],
])('the address %s names the room %s', (path, room) => {
  expect(roomOfPath(path)).toBe(room);
});

test('the token is read from the fragment', () => {
  expect(tokenOfFragment('#token=a.b.c')).toBe('a.b.c');
  expect(tokenOfFragment('')).toBeUndefined();
});

test.each([
  ['a link', 'https://meet.example.org/r/other#token=a.b.c', { room: 'other', token: 'a.b.c' }],
  ['a token alone', '  aa.bb.cc \n', { room: 'demo', token: 'aa.bb.cc' }],
  ['a link without a token', 'https://meet.example.org/r/other', undefined],
  ['a link to something else', 'https://meet.example.org/x#token=a.b.c', undefined],
  ['anything else', 'hello there', undefined],
])('%s that is pasted is understood', (_title, text, expected) => {
  expect(readInvitation(text, 'demo')).toEqual(expected);
});
