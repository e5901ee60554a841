import { expect, test } from 'vitest';
import { mediaStateOf } from './media-session.ts';

test.each([
  [[], 'off'],
  [['new', 'new'], 'off'],
  [['connected', 'new'], 'connected'],
  [['connected', 'connecting'], 'connecting'],
  [['connected', 'disconnected'], 'disconnected'],
  [['failed', 'connecting'], 'disconnected'],
] as const)('two connections that are %j are %s together', (states, expected) => {
  expect(mediaStateOf(states)).toBe(expected);
});
