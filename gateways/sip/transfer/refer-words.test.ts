import { strict as assert } from 'node:assert';
import { describe, test } from 'vitest';
import { isTerminated, readFragment, readReferTo, readReplaces, referTo } from './refer-words.ts';

test.each([
  ['<sip:bob@example.org>', 'sip:bob@example.org'],
  ['Bob <sip:bob@[2001:db8::1]:5070;transport=tcp>;x=y', 'sip:bob@[2001:db8::1]:5070;transport=tcp'],
  ['sip:+4930123@pbx', 'sip:+4930123@pbx'],
  ['<sip:bob@example.org;method=INVITE>', 'sip:bob@example.org'],
  ['<tel:+49-30-123>', 'tel:+49-30-123'],
])('the Refer-To %s is for %s', (header, uri) => {
  assert.deepEqual(readReferTo(header), { uri, replaces: undefined });
});

test('a Replaces in a Refer-To is read back as it was written', () => {
  const replaces = { callId: 'a;b@1.2.3.4', toTag: 't%1', fromTag: 'f-2' };
  const { uri, replaces: read } = readReferTo(
    referTo('sip:bob@h:5070;ob?Subject=x', { ...replaces, callId: 'ab@1.2.3.4' }),
  );
  assert.equal(uri, 'sip:bob@h:5070;ob');
  assert.deepEqual(read, { ...replaces, callId: 'ab@1.2.3.4', isEarlyOnly: false });
});

describe('what cannot be followed is refused with what is wrong', () => {
  test.each([
    [undefined, /one Refer-To/],
    ['', /one Refer-To/],
    ['<sip:a@h>, <sip:b@h>', /one Refer-To/],
    ['<http://example.org/>', /one Refer-To/],
    ['<sip:bob@h;method=SUBSCRIBE>', /asks for SUBSCRIBE/],
    ['<sip:bob@h?Replaces=abc>', /to-tag/],
    ['<sip:bob@h?Replaces=a%0d%0ab%3Bto-tag%3D1%3Bfrom-tag%3D2>', /Call-ID/],
  ])('%s', (header, message) => {
    assert.throws(() => readReferTo(header), message);
  });
});

test('Replaces of an INVITE may be for ringing calls alone', () => {
  assert.deepEqual(readReplaces('98732@sipp ;from-tag=r33th4x0r;to-tag=ff87ff;early-only'), {
    ...{ callId: '98732@sipp', toTag: 'ff87ff', fromTag: 'r33th4x0r', isEarlyOnly: true },
  });
});

test('a fragment has its status, and what is none has not', () => {
  assert.deepEqual(readFragment('SIP/2.0 486 Busy Here\r\nTo: x'), { status: 486, reason: 'Busy Here' });
  assert.equal(readFragment('<xml/>'), undefined);
  assert.deepEqual(['terminated;reason=noresource', 'active;expires=60', undefined].map(isTerminated), [
    true,
    false,
    false,
  ]);
});
