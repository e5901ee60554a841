import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { splitCommas } from './grammar.ts';
import { parseNameAddr, parseNameAddrs } from './name-addr.ts';
import { parseMessage } from './parse.ts';
import { parseUri } from './uri.ts';
import { faultOfRequest } from './validate.ts';
import { formatVia, parseVia } from './via.ts';

describe('URIs', () => {
  test.each([
    ['sip:demo@example.com', { scheme: 'sip', user: 'demo', host: 'example.com', port: undefined }],
    ['SIPS:Alice@EXAMPLE.com:5061', { scheme: 'sips', user: 'Alice', host: 'example.com', port: 5061 }],
    ['sip:[2001:db8::1]:5070;transport=tcp', { host: '2001:db8::1', port: 5070 }],
    ['sip:+1-212;phone-context=x@gw;user=phone', { user: '+1-212;phone-context=x', host: 'gw' }],
    ['sip:a:secret@h', { user: 'a', host: 'h' }],
    ['tel:+44-20-7946-0000;ext=5', { scheme: 'tel', user: '+44-20-7946-0000' }],
    ['urn:service:sos', { scheme: 'urn' }],
  ])('%s', (text, expected) => {
    const uri = parseUri(text);
    assert.ok(uri);
    for (const [name, value] of Object.entries(expected)) assert.equal(uri[name as keyof typeof uri], value);
  });

  test.each([
    '',
    'sip:',
    'sip:@host',
    'sip:a@',
    'sip:a@b@c',
    'sip:h:0',
    'sip:h:65536',
    'sip:h:x',
    'sip:[::1',
    'sip:2001:db8::1',
    'sip:a b@h',
    'sip:h;',
    'sip:h?',
    'tel:',
    'tel:abcxyz',
    'nocolon',
  ])('refuses "%s"', (text) => {
    assert.equal(parseUri(text), undefined);
  });
});

describe('name-addr', () => {
  test.each([
    ['"A, \\"B\\"" <sip:a@b>;tag=1', '"A, \\"B\\""', 'sip:a@b', '1'],
    ['Alice Smith <sip:a@b;lr>;tag=2', 'Alice Smith', 'sip:a@b;lr', '2'],
    ['sip:a@b;tag=3', '', 'sip:a@b', '3'],
    ['<sip:a@b> ; TAG = 4', '', 'sip:a@b', '4'],
  ])('%s', (text, displayName, uri, tag) => {
    const parsed = parseNameAddr(text);
    assert.deepEqual([parsed?.displayName, parsed?.uri, parsed?.params.get('tag')], [displayName, uri, tag]);
  });

  test.each([
    '',
    '<sip:a@b',
    '"x <sip:a@b>',
    '<>',
    'x <sip:a@b> y',
    '<sip:a@b>;',
    '<sip:a@b>,<sip:c@d>',
    'a,b <sip:a@b>',
  ])('refuses %s', (text) => {
    assert.equal(parseNameAddr(text), undefined);
  });

  test('lists keep commas in quotes and brackets together', () => {
    assert.equal(parseNameAddrs('"a,b" <sip:x,y@z>, sip:c@d;q=0.1')?.length, 2);
    assert.deepEqual(splitCommas('"a,b" <sip:x,y@z>, c'), ['"a,b" <sip:x,y@z>', 'c']);
  });
});

test('a Via survives being read and written', () => {
  const via = parseVia('SIP/2.0/UDP [2001:db8::1]:5062;branch=z9hG4bKx;rport');
  assert.ok(via);
  assert.equal(formatVia(via), 'SIP/2.0/UDP [2001:db8::1]:5062;branch=z9hG4bKx;rport');
});

test.each([
  ['a header line without colon', 'Via SIP/2.0', 400],
  ['a header name that is no token', 'Bad Name: x', 400],
  ['a bare line feed in a header', 'Subject: a\nb', 400],
  ['257 headers', Array.from({ length: 257 }, (_, i) => `X-${i}: y`).join('\r\n'), 400],
  ['a header of 9 KB', `Subject: ${'x'.repeat(9000)}`, 400],
  ['40 KB of headers', Array.from({ length: 20 }, () => `Subject: ${'x'.repeat(2000)}`).join('\r\n'), 513],
])('%s is refused', (_title, line, status) => {
  const read = parseMessage(Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n${line}\r\n\r\n`));
  assert.equal(read.ok, false);
  assert.equal(!read.ok && read.fault.status, status);
});

test('an INVITE without Contact is refused: drachtio-srf would answer it twice', () => {
  const text =
    'INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n';
  const read = parseMessage(Buffer.from(text));
  assert.ok(read.ok);
  assert.equal(faultOfRequest(read.message)?.status, 400);
});

test('an extension that nobody here knows is refused by its name, also one that others of its kind are known beside', () => {
  const text =
    'INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@b>\r\nRequire: replaces, join\r\nJoin: x;from-tag=1;to-tag=2\r\n\r\n';
  const read = parseMessage(Buffer.from(text));
  assert.ok(read.ok);
  assert.deepEqual(faultOfRequest(read.message), {
    ...{ status: 420, reason: 'Bad Extension', headers: { unsupported: 'join' } },
  });
});

test('Content-Length counts bytes, not characters', () => {
  const read = parseMessage(Buffer.from('MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\n\u00e9\u00e9x'));
  assert.ok(read.ok);
  read.message.body = Buffer.from('\u4f60\u597d');
  assert.match(read.message.toString(), /Content-Length: 6\r\n\r\n\u4f60\u597d$/);
});
