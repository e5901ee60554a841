import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { fitsPattern, flawOfPattern } from './bounded-pattern.ts';
import { type CallFacts, type DispatchMatch, mismatchOf } from './dispatch-match.ts';
import { isInRange, normalNumber } from './number-plan.ts';

const plan = { countryCode: '49', nationalPrefix: '0', internationalPrefix: '00' };
/** A Friday, 23:30 in Berlin. */
const atMs = Date.parse('2030-01-04T22:30:00Z');
const facts: CallFacts = {
  ...{ dialled: '03012345', from: '+4989777', trunk: { id: 'TK_1', name: 'carrier' }, account: undefined, atMs },
  divertedFrom: ['+493055', 'desk'],
  header: (name) => (name.toLowerCase() === 'x-customer' ? 'gold-7' : undefined),
};

test.each<[DispatchMatch, string | undefined]>([
  [{ number: '+49 30 12345' }, undefined],
  [{ number: '+49301' }, '"03012345" is not the number "+49301"'],
  [{ numberRange: { first: '03012300', last: '03012399' } }, undefined],
  [{ numberRange: { first: '+493012346', last: '+493012399' } }, '"03012345" is not between +493012346 and +493012399'],
  [{ pattern: '030\\d+' }, undefined],
  [{ from: '08977*' }, undefined],
  [{ from: '0891' }, 'the caller "+4989777" is not "0891"'],
  [{ fromPattern: '\\+1.*' }, 'the caller "+4989777" does not fit the pattern "\\+1.*"'],
  [{ divertedFrom: '+49 30 55' }, undefined],
  [{ divertedFrom: 'desk' }, undefined],
  [{ divertedFrom: '030*' }, undefined],
  [{ divertedFrom: 'other' }, 'it was sent on from "+493055", "desk", not from "other"'],
  [{ trunk: 'carrier' }, undefined],
  [{ trunk: 'TK_1' }, undefined],
  [{ trunk: 'other' }, 'it came by the trunk "carrier"'],
  [{ account: '*' }, 'it is from no account'],
  [{ headers: { 'X-Customer': 'gold-\\d' } }, undefined],
  [{ headers: { 'X-Customer': 'silver' } }, 'the header X-Customer does not fit the pattern "silver"'],
  [{ headers: { Subject: '.*' } }, 'there is no header Subject'],
  [{ time: { days: ['fri'], from: '23:00', to: '24:00', timeZone: 'Europe/Berlin' } }, undefined],
  [{ time: { days: ['fri'], from: '22:00', to: '06:00', timeZone: 'Europe/Berlin' } }, undefined],
  // In Tokyo it is Saturday, 07:30: the night that began on Friday is over.
  [{ time: { days: ['fri'], from: '22:00', to: '06:00', timeZone: 'Asia/Tokyo' } }, 'it is not the time for it'],
  [{ time: { days: ['fri'], from: '22:00', to: '08:00', timeZone: 'Asia/Tokyo' } }, undefined],
  [{ number: '+493012345', trunk: 'carrier', time: { from: '09:00', to: '17:00' } }, 'it is not the time for it'],
])('a call and %j: %s', (match, mismatch) => assert.equal(mismatchOf(match, facts, plan), mismatch));

test.each([
  ['+49 (30) 12-34', '+49301234'],
  ['0049301234', '+49301234'],
  ['0301234', '+49301234'],
  ['49301234', '+49301234'],
  ['611', '611'],
  ['Alice', 'alice'],
])('%s is %s', (text, normal) => assert.equal(normalNumber(text, plan), normal));

test('without a country code + and 00 are the same, and numbers of other lengths are in no range', () => {
  const bare = { nationalPrefix: '0', internationalPrefix: '00' };
  assert.equal(normalNumber('4930123', bare), normalNumber('004930123', bare));
  assert.equal(isInRange('4930123', '+4930100', '+4930199', bare), true);
  assert.equal(isInRange('49301234', '+4930100', '+4930199', bare), false);
});

test.each([
  '(a|aa)+',
  '(a?)+x',
  'a?a?a?a?a?a?a?a?',
  '.*a.*b.*c.*d',
  '(a+)+',
  '(a)\\1',
  '((a*)b?)*c',
  '(([a-z])+.)+X',
  `${'(a|a)'.repeat(26)}x`,
  '(?<n>a)\\k<n>',
  '((a|b){8}){9}',
])('a pattern that could be tried for ever is refused: %s', (pattern) =>
  assert.notEqual(flawOfPattern(pattern), undefined),
);

test.each([
  '\\+49(30|40)?\\d{4,8}',
  '.*gold.*',
  '(0049|\\+49|0)?30\\d+',
  '[+*?]+x',
  '(?:\\d\\d)+',
  '((?:30|40)\\d{5}|(?:800|900)\\d+)',
  '\\(x\\)+',
])('a usual one is taken, and is quick: %s', (pattern) => {
  assert.equal(flawOfPattern(pattern), undefined);
  assert.equal(fitsPattern(pattern, '~'.repeat(10_000)), false);
});
