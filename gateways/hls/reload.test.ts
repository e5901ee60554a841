import { expect, test } from 'vitest';
import { parseReload } from './reload.ts';

const ask = (query: Readonly<Record<string, string | undefined>>, next = 7) => parseReload((name) => query[name], next);

test.for([
  [{}, { awaited: undefined, isDelta: false }],
  [{ _HLS_msn: '7' }, { awaited: { number: 7, part: undefined }, isDelta: false }],
  [
    { _HLS_msn: '7', _HLS_part: '2', _HLS_skip: 'YES' },
    { awaited: { number: 7, part: 2 }, isDelta: true },
  ],
  [{ _HLS_msn: '9' }, { awaited: { number: 9, part: undefined }, isDelta: false }],
] as const)('%j is understood', ([query, reload]) => {
  expect(ask(query)).toEqual(reload);
});

test.for([
  { _HLS_msn: '10' },
  { _HLS_part: '1' },
  { _HLS_msn: '-1' },
  { _HLS_msn: '1e3' },
  { _HLS_msn: '99999999999999999999' },
])('%j is refused', (query) => {
  expect(() => ask(query)).toThrow(/_HLS_/);
});
