import assert from 'node:assert/strict';
import { test } from 'vitest';
import { sessionBodyOf } from './session-body.ts';

const given = (body: string, headers: Record<string, string> = {}) => sessionBodyOf(body, (name) => headers[name]);
const sdp = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n';
const statusOf = (read: ReturnType<typeof given>) => (read.kind === 'refused' ? read.status : 200);

test('SDP is taken as it is, with or without a Content-Type, and nothing is an empty offer', () => {
  assert.deepEqual(given(sdp, { 'content-type': 'Application/SDP; charset=utf-8' }), { kind: 'sdp', sdp });
  assert.deepEqual(given(sdp), { kind: 'sdp', sdp });
  assert.deepEqual(given(''), { kind: 'sdp', sdp: '' });
});

test('another type is refused with 415 and what would be taken, unless it may be ignored', () => {
  const isup = { 'content-type': 'application/ISUP' };
  const refused = given('x', isup);
  assert.deepEqual(refused, { kind: 'refused', status: 415, headers: { accept: 'application/sdp' } });
  const optional = { ...isup, 'content-disposition': 'signal;handling=optional' };
  assert.deepEqual(given('x', optional), { kind: 'sdp', sdp: '' });
  assert.equal(statusOf(given(sdp, { 'content-encoding': 'gzip' })), 415);
});

test('who takes no SDP back is refused with 406', () => {
  assert.equal(statusOf(given(sdp, { accept: 'text/nobodyKnowsThis' })), 406);
  for (const accept of ['application/sdp', 'text/plain, application/*', '*/*;q=0.1']) {
    assert.equal(statusOf(given(sdp, { accept })), 200, accept);
  }
});

test('the SDP is found among the parts of a multipart body', () => {
  const type = 'multipart/mixed; boundary="a b"';
  const parts = [
    '--a b',
    'Content-Type: application/ISUP',
    '',
    '\u0001\u0002',
    '--a b',
    'Content-Type: application/sdp',
  ];
  const body = [...parts, 'Content-Disposition: session', '', sdp.trimEnd(), '--a b--', ''].join('\r\n');
  assert.deepEqual(given(body, { 'content-type': type }), { kind: 'sdp', sdp });
  assert.equal(statusOf(given(body.replace('application/sdp', 'text/plain'), { 'content-type': type })), 415);
  assert.equal(statusOf(given(body, { 'content-type': 'multipart/mixed; boundary=other' })), 415);
  assert.equal(statusOf(given(body, { 'content-type': 'multipart/mixed; charset=x' })), 415);
});
