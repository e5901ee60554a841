import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { allowedMethods } from './allowed-methods.ts';

const routes = [
  { method: 'ALL', path: '/*' },
  { method: 'GET', path: '/api/rooms' },
  { method: 'POST', path: '/api/rooms' },
  { method: 'DELETE', path: '/api/rooms/:room' },
  { method: 'GET', path: '/assets/*' },
  { method: 'GET', path: '/' },
];

test.each([
  ['/api/rooms', ['GET', 'HEAD', 'OPTIONS', 'POST']],
  ['/api/rooms/demo', ['DELETE', 'OPTIONS']],
  ['/api/rooms/', []],
  ['/api/rooms/demo/x', []],
  ['/assets/a/b.js', ['GET', 'HEAD', 'OPTIONS']],
  ['/assets', []],
  ['/', ['GET', 'HEAD', 'OPTIONS']],
  ['', []],
  ['/api', []],
])('%s takes %j', (path, expected) => {
  assert.deepEqual(allowedMethods(routes, path), expected);
});
