import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { readHep } from '#test/support/hep.ts';
import { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { hepPacket } from './hep.ts';
import { Ladder } from './ladder.ts';

const flow = (local: string, remote: string): Flow => ({
  protocol: 'udp',
  remoteAddress: remote,
  remotePort: 5070,
  localAddress: local,
  localPort: 5060,
  isReliable: false,
  isOpen: true,
  send: () => undefined,
  whenClosed: () => () => undefined,
});
const message = (callId: string, cseq = 1): SipMessage =>
  SipMessage.request('INVITE', 'sip:a@b').add('call-id', callId).add('cseq', `${cseq} INVITE`);

describe('the ladder', () => {
  test('keeps so many calls, and of each the beginning and the end', () => {
    const ladder = new Ladder({ calls: 2, messagesPerCall: 4 });
    for (const id of ['a', 'b', 'c']) ladder.note('in', flow('1.1.1.1', '2.2.2.2'), message(id));
    assert.deepEqual(ladder.callIds(), ['b', 'c']);
    assert.equal(ladder.forCall('a'), undefined);
    for (let i = 2; i <= 9; i++) ladder.note('out', flow('1.1.1.1', '2.2.2.2'), message('c', i));
    const kept = ladder.forCall('c');
    assert.equal(kept?.droppedCount, 5);
    assert.deepEqual(
      kept?.messages.map(({ text }) => /CSeq: (\d+)/.exec(text)?.[1]),
      ['1', '2', '8', '9'],
    );
  });

  test('shows neither credentials nor session keys', () => {
    const ladder = new Ladder({ calls: 1, messagesPerCall: 4 });
    const secret = message('x').add('authorization', 'Digest response="beef"');
    secret.body = Buffer.from('v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:beef\r\na=ice-pwd:beef\r\n');
    ladder.note('in', flow('1.1.1.1', '2.2.2.2'), secret);
    const text = ladder.forCall('x')?.messages[0]?.text ?? '';
    assert.doesNotMatch(text, /beef/);
    assert.match(text, /Authorization: \(hidden\)[\s\S]*a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(hidden\)/);
  });
});

describe('HEP', () => {
  test('names both ends, the time and the message', () => {
    const chunks = readHep(
      hepPacket('in', flow('192.0.2.1', '192.0.2.9'), Buffer.from('SIP'), 1_700_000_000_123, {
        captureId: 7,
        password: 'p',
      }),
    );
    assert.deepEqual([...(chunks.get(3) ?? [])], [192, 0, 2, 9]);
    assert.equal(chunks.get(7)?.readUInt16BE(), 5070);
    assert.equal(chunks.get(9)?.readUInt32BE(), 1_700_000_000);
    assert.equal(chunks.get(10)?.readUInt32BE(), 123_000);
    assert.equal(chunks.get(15)?.toString(), 'SIP');
    assert.equal(chunks.get(14)?.toString(), 'p');
  });

  test('writes IPv6 in full', () => {
    const chunks = readHep(
      hepPacket('out', flow('2001:db8::1', '2001:db8::5:9'), Buffer.from('x'), 0, { captureId: 7 }),
    );
    assert.equal(chunks.get(5)?.toString('hex'), '20010db8000000000000000000000001');
    assert.equal(chunks.get(6)?.toString('hex'), '20010db8000000000000000000050009');
  });
});
