import { describe, expect, test } from 'vitest';
import { flawOfPattern } from './bounded-pattern.ts';
import { dialledOf, dispatch, readDialled, withoutPin } from './dispatch.ts';
import type { CallFacts } from './dispatch-match.ts';

const factsOf = (dialled: string): CallFacts => {
  return {
    dialled,
    from: '',
    trunk: undefined,
    account: undefined,
    divertedFrom: [],
    header: () => undefined,
    atMs: 0,
  };
};

const rules = [
  { number: '+4930123', room: 'berlin' },
  { pattern: '\\+49301\\d{2,}', room: 'desk' },
  { number: '0190', reject: { status: 603, reason: 'Not here.' } },
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
    ['+4930123', { kind: 'room', room: 'berlin', rule: rules[0] }],
    ['+49301999', { kind: 'room', room: 'desk', rule: rules[1] }],
    ['demo', { kind: 'room', room: 'demo', rule: undefined }],
  ])('to %s goes where the first rule or its name says', (dialled, decision) =>
    expect(dispatch(factsOf(dialled), rules).decision).toEqual(decision),
  );

  test.each(['', '../../etc', 'x'.repeat(200), '*5', 'a b'])('to "%s" is rejected with a reason', (dialled) => {
    const { decision } = dispatch(factsOf(dialled), rules);
    expect(decision.kind).toBe('reject');
    expect(decision.kind === 'reject' && decision.reason).toMatch(/called address/);
  });
});

test('a rule that rejects does so with its own status and reason', () => {
  expect(dispatch(factsOf('0190'), rules).decision).toEqual({
    kind: 'reject',
    status: 603,
    reason: 'Not here.',
    rule: rules[2],
  });
});

test.each([
  ['sip:demo*1234@host', 'demo', '1234'],
  ['sip:demo@host;pin=1234', 'demo', '1234'],
  ['sip:demo;pin=1234@host', 'demo', '1234'],
  ['sip:demo@host;transport=tcp;pin=987654;lr', 'demo', '987654'],
  ['tel:+4930123;pin=4711', '+4930123', '4711'],
  ['sip:600*4711@host', '600', '4711'],
  ['sip:demo@host', 'demo', undefined],
  ['sip:*1234@host', '*1234', undefined],
  ['sip:demo**1@host', 'demo**1', undefined],
  ['sip:demo@host;pin=abc', 'demo', undefined],
])('%s dials %s with the PIN %s, which is not kept', (uri, user, pin) => {
  expect(readDialled(uri)).toEqual({ user, pin });
  if (pin !== undefined) expect(withoutPin(uri)).not.toContain(pin);
  expect(readDialled(withoutPin(uri)).user).toBe(user);
});

test.each(['(a+)+', '(\\d*)*x', '([0-9]+){2,}', '(a)\\1', '('])('the pattern %s is refused', (pattern) => {
  expect(flawOfPattern(pattern)).toBeTypeOf('string');
});

test.each(['\\+49301\\d{2,}', '6\\d\\d', '(?:0049|\\+49)30.*', '[+*]+49'])('the pattern %s is taken', (pattern) => {
  expect(flawOfPattern(pattern)).toBeUndefined();
});
