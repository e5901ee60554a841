import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diversionsOf, divertedFrom } from './call-diversion.ts';

const of = (headers: Record<string, string>) => diversionsOf((name) => headers[name]);

test.each([
  [
    'one, with a name that has a comma',
    { diversion: '"Miller, Ann" <sip:+493012@pbx.example>;reason=user-busy;counter=1' },
    [{ uri: 'sip:+493012@pbx.example', reason: 'user-busy' }],
  ],
  [
    'the latest comes first in Diversion',
    { diversion: '<sip:2@x>;reason="no-answer", <sip:1@x>;reason=unconditional' },
    [
      { uri: 'sip:1@x', reason: 'unconditional' },
      { uri: 'sip:2@x', reason: 'no-answer' },
    ],
  ],
  ['privacy', { diversion: '<sip:1@x>;privacy=full' }, [{ uri: 'sip:anonymous@anonymous.invalid', reason: 'unknown' }]],
  ['a bare address', { diversion: 'tel:+4930;reason=no-answer' }, [{ uri: 'tel:+4930', reason: 'no-answer' }]],
  [
    'History-Info: all but where it goes now, with the cause that comes after',
    {
      'history-info':
        '<sip:1@x?Reason=SIP%3Bcause%3D486>;index=1, <sip:2@x;cause=486>;index=1.1;mp=1, <sip:3@x;cause=302>;index=1.1.1',
    },
    [
      { uri: 'sip:1@x', reason: 'user-busy' },
      { uri: 'sip:2@x;cause=486', reason: 'unconditional' },
    ],
  ],
  [
    'History-Info with privacy',
    { 'history-info': '<sip:1@x?Privacy=history>;index=1, <sip:2@x>;index=1.1' },
    [{ uri: 'sip:anonymous@anonymous.invalid', reason: 'unknown' }],
  ],
  ['one entry of History-Info was sent on by nobody', { 'history-info': '<sip:1@x>;index=1' }, []],
  ['none', {}, []],
])('%s', (_, headers, expected) => {
  expect(of(headers as Record<string, string>)).toEqual(expected);
});

test('rules see numbers and names', () => {
  expect(divertedFrom(of({ diversion: '<sip:+49%20(30)12@x>, <sip:desk@x>' }))).toEqual(['desk', '+493012']);
});

test('whatever is sent, it is bounded and quick', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), fc.string({ maxLength: 300 }), (one, other) => {
      for (const { uri } of of({ diversion: one, 'history-info': other })) expect(uri.length).toBeLessThanOrEqual(512);
    }),
  );
  expect(of({ diversion: '<sip:1@x>,'.repeat(10_000) }).length).toBe(10);
});
