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

  test('of a message whose bytes it is given it shows those, whatever becomes of the message, and no secret of them', () => {
    const ladder = new Ladder({ calls: 1, messagesPerCall: 4 });
    const one = message('x').add('authorization', 'Digest response="beef"');
    one.body = Buffer.from('v=0\r\na=ice-pwd:beef\r\n');
    ladder.note('in', flow('1.1.1.1', '2.2.2.2'), one, one.toBuffer());
    const ringing = SipMessage.response(180, 'Ringing').add('call-id', 'x').add('cseq', '1 INVITE');
    ladder.note('out', flow('1.1.1.1', '2.2.2.2'), ringing, ringing.toBuffer());
    one.set('cseq', '2 INVITE');
    const long = message('x');
    long.body = Buffer.alloc(60_000, 'a');
    ladder.note('in', flow('1.1.1.1', '2.2.2.2'), long, long.toBuffer());
    const told = ladder.forCall('x')?.messages ?? [];
    assert.deepEqual(
      told.map(({ direction, title, remote }) => `${direction} ${title} ${remote}`),
      ['in INVITE 2.2.2.2:5070', 'out 180 Ringing (INVITE) 2.2.2.2:5070', 'in INVITE 2.2.2.2:5070'],
    );
    assert.match(told[0]?.text ?? '', /CSeq: 1 INVITE[\s\S]*a=ice-pwd:\(hidden\)/);
    assert.doesNotMatch(told[0]?.text ?? '', /beef/);
    assert.equal(told[2]?.text.length, 8_193);
  });

  test('of messages that are longer than is shown it keeps what is shown, and of the rest nothing', () => {
    const ladder = new Ladder({ calls: 2, messagesPerCall: 4 });
    const long = message('long');
    long.body = Buffer.alloc(60_000, 'a');
    const headers = message('headers');
    for (let i = 0; i < 4; i++) headers.add('subject', 'b'.repeat(4_000));
    const short = message('long');
    short.body = Buffer.from('c');
    for (const one of [long, headers, short]) ladder.note('in', flow('1.1.1.1', '2.2.2.2'), one);
    // Whatever becomes of them later.
    for (const one of [long, headers]) one.body = Buffer.from('d');
    long.set('cseq', '2 INVITE');
    const texts = ['long', 'headers'].flatMap((id) => ladder.forCall(id)?.messages.map(({ text }) => text) ?? []);
    assert.deepEqual(
      texts.map((text) => [text.length, text.replace(/^.*\n/s, '').slice(0, 12), text.at(-1)]),
      [
        [8_193, 'aaaaaaaaaaaa', '…'],
        [texts[1]?.length, 'c', 'c'],
        [8_193, 'Subject: bbb', '…'],
      ],
    );
    assert.match(texts[0] ?? '', /CSeq: 1 INVITE/);
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
