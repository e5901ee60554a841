import { expect, test } from 'vitest';
import { KeyEcho, type KeyWay } from './key-echo.ts';

test.each<[string, [string, KeyWay, number][], string]>([
  [
    'each told both ways, one after the other',
    [
      ['4', 'rtp', 0],
      ['4', 'info', 90],
      ['7', 'rtp', 300],
      ['7', 'info', 390],
    ],
    '47',
  ],
  [
    'twice the same, one way late',
    [
      ['5', 'rtp', 0],
      ['5', 'rtp', 200],
      ['5', 'info', 250],
      ['5', 'info', 400],
    ],
    '55',
  ],
  [
    'INFO first',
    [
      ['1', 'info', 0],
      ['1', 'rtp', 20],
    ],
    '1',
  ],
  [
    'one way alone, however fast',
    [
      ['5', 'info', 0],
      ['5', 'info', 1],
      ['5', 'info', 2],
    ],
    '555',
  ],
  [
    'the other way much later: that is another press',
    [
      ['5', 'rtp', 0],
      ['5', 'info', 3_500],
    ],
    '55',
  ],
  [
    'another key by the other way',
    [
      ['5', 'rtp', 0],
      ['6', 'info', 10],
    ],
    '56',
  ],
])('%s', (_what, told, pressed) => {
  const echo = new KeyEcho();
  expect(told.flatMap(([key, way, atMs]) => (echo.isEcho(key, way, atMs) ? [] : [key])).join('')).toBe(pressed);
});
