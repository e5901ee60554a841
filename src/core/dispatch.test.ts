import { describe, expect, test } from 'vitest';
import { dialledOf, dispatch } from './dispatch.ts';

const rules = [
  { number: '+4930123', room: 'berlin' },
  { pattern: '\\+49301\\d{2,}', room: 'desk' },
];

test.each([
  ['sip:demo@192.0.2.1', 'demo'],
  ['sips:demo@example.org:5061;transport=tcp', 'demo'],
  ['sip:de%6Do@host', 'demo'],
  ['sip:+49-30.123;phone-context=x@host', '+4930123'],
  ['sip:demo:secret@host', 'demo'],
  ['tel:+49-30-123;ext=5', '+4930123'],
  ['sip:my-room.2@host', 'my-room.2'],
  ['sip:host', ''],
  ['sip:%zz@host', '%zz'],
])('%s dials %s', (uri, dialled) => expect(dialledOf(uri)).toBe(dialled));

describe('a call', () => {
  test.each([
    ['+4930123', { kind: 'room', room: 'berlin', by: 'rule' }],
    ['+49301999', { kind: 'room', room: 'desk', by: 'rule' }],
    ['demo', { kind: 'room', room: 'demo', by: 'name' }],
  ])('to %s goes where the first rule or its name says', (dialled, decision) =>
    expect(dispatch(dialled, rules)).toEqual(decision),
  );

  test.each(['', '../../etc', 'x'.repeat(200), '*5', 'a b'])('to "%s" is rejected with a reason', (dialled) => {
    const decision = dispatch(dialled, rules);
    expect(decision.kind).toBe('reject');
    expect(decision.kind === 'reject' && decision.reason).toMatch(/called address/);
  });
});
