import { expect, test } from 'vitest';
import { piecesOf } from './call-chat.ts';
import { addressesOf, attributesOf, hostAddressOf, withoutKeys } from './call-texts.ts';

test.each([
  ['INVITE sip:demo*1234@host:5060 SIP/2.0', 'INVITE sip:demo*(hidden)@host:5060 SIP/2.0'],
  ['To: <sip:demo@host;pin=1234;lr>', 'To: <sip:demo@host;pin=(hidden);lr>'],
  ['c-type: x\r\n\r\nSignal=5\r\nDuration=160', 'c-type: x\r\n\r\nSignal=(hidden)\r\nDuration=160'],
  ['Content-Type: application/dtmf\r\n\r\n5', 'Content-Type: application/dtmf\r\n\r\n(hidden)'],
  ['INVITE sip:*97@host SIP/2.0', 'INVITE sip:*97@host SIP/2.0'],
  ['Content-Type: text/plain\r\n\r\nHello', 'Content-Type: text/plain\r\n\r\nHello'],
])('%j is shown as %j', (text, shown) => expect(withoutKeys(text)).toBe(shown));

test('a long message is cut between characters, each piece small enough, and none is endless', () => {
  const text = '欢迎😀'.repeat(300);
  const pieces = piecesOf(text, 100);
  expect(pieces.every((piece) => Buffer.byteLength(piece) <= 100)).toBe(true);
  expect(text.startsWith(pieces.join(''))).toBe(true);
  expect(piecesOf(text).join('')).toBe(text);
  expect(piecesOf('x'.repeat(1_000_000)).length).toBeLessThanOrEqual(24);
  expect(piecesOf('')).toEqual([]);
});

const points = [
  { protocol: 'udp', port: 5060 },
  { protocol: 'tcp', port: 5060 },
  { protocol: 'tls', port: 5071 },
];

test.each([
  [points, {}, ['sip:demo@meet.example', 'sips:demo@meet.example:5071']],
  [points.slice(1, 2), {}, ['sip:demo@meet.example;transport=tcp']],
  [[{ protocol: 'udp', port: 18_007 }], { publicHost: '2001:db8::1' }, ['sip:demo@[2001:db8::1]:18007']],
  [points.slice(0, 1), { externalAddress: '203.0.113.5' }, ['sip:demo@203.0.113.5']],
  [[], {}, []],
])('with %j and %j people dial %j', (listening, config, addresses) => {
  expect(addressesOf('demo', 'meet.example', listening, config)).toEqual(addresses);
});

test('headers that were asked for become attributes, without what cannot be shown', () => {
  const headers: Record<string, string> = { 'X-Customer': `a\u0007b${'c'.repeat(300)}`, 'X-Other': 'd' };
  const header = (name: string) => headers[name];
  const attributes = attributesOf({ header }, ['X-Customer', 'X-Missing']);
  expect(Object.keys(attributes)).toEqual(['sip.h.x-customer']);
  expect(attributes['sip.h.x-customer']).toMatch(/^a bc+$/);
  expect(attributes['sip.h.x-customer']?.length).toBe(256);
});

test.each([
  ['sip:alice@192.0.2.7:5060', '192.0.2.7'],
  ['sip:[2001:db8::1]', '2001:db8::1'],
  ['sip:alice@pbx.example', undefined],
])('the address in %s is %s', (uri, address) => expect(hostAddressOf(uri)).toBe(address));
