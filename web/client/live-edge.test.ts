import { expect, test } from 'vitest';
import { followEdge } from './live-edge.ts';

test.for([
  ['before what is buffered', { startS: 5, endS: 7, positionS: 0 }, { seekToS: 6.75, rate: 1 }],
  ['after it', { startS: 5, endS: 7, positionS: 7.5 }, { seekToS: 6.75, rate: 1 }],
  ['far behind', { startS: 0, endS: 7, positionS: 4 }, { seekToS: 6.75, rate: 1 }],
  ['a little behind', { startS: 0, endS: 7, positionS: 6 }, { rate: 1.1 }],
  ['at the edge', { startS: 0, endS: 7, positionS: 6.8 }, { rate: 1 }],
  ['with less than wanted', { startS: 6.9, endS: 7, positionS: 0 }, { seekToS: 6.9, rate: 1 }],
] as const)('a player %s', ([, view, step]) => {
  expect(followEdge(view)).toEqual(step);
});
