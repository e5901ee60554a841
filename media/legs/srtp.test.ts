import { expect, test } from 'vitest';
import { srtpSuites } from '#core/leg-media.ts';
import { SrtpReceiver, SrtpSender } from './srtp.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const base64 = (text: string) => hex(text).toString('base64');
const rtp = hex('800f1234 decafbad cafebabe abababab abababab abababab abababab');
const rtcp = hex('81c8000b cafebabe abababab abababab abababab abababab');
/** Master key and salt of RFC 3711 appendix B.3. */
const cmKey = base64('e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6');
const gcmKey = base64('000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab');

// Known answers of libsrtp's own tests for these keys.
test.each([
  [
    'AES_CM_128_HMAC_SHA1_80',
    cmKey,
    '800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb',
    '81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798',
  ],
  [
    'AEAD_AES_128_GCM',
    gcmKey,
    '800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392',
    '81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001',
  ],
] as const)('%s gives the known answers', (suite, key, protectedRtp, protectedRtcp) => {
  const sender = new SrtpSender({ suite, sendKey: key, receiveKey: key }, 1);
  const receiver = new SrtpReceiver({ suite, sendKey: key, receiveKey: key });
  expect(sender.protectRtp(rtp, 0x1234).toString('hex')).toBe(protectedRtp);
  expect(sender.protectRtcp(rtcp).toString('hex')).toBe(protectedRtcp);
  expect(receiver.unprotectRtp(hex(protectedRtp))).toEqual(rtp);
  expect(receiver.unprotectRtcp(hex(protectedRtcp))).toEqual(rtcp);
});

test.each(srtpSuites)('%s: what was changed or comes again is refused, also past the wrap of the numbers', (suite) => {
  const key = suite === 'AEAD_AES_128_GCM' ? gcmKey : cmKey;
  const parameters = { suite, sendKey: key, receiveKey: key };
  const sender = new SrtpSender(parameters);
  const receiver = new SrtpReceiver(parameters);
  const at = (index: number) => {
    const packet = Buffer.from(rtp);
    packet.writeUInt16BE(index & 0xffff, 2);
    return { packet, sealed: sender.protectRtp(packet, index) };
  };
  for (let index = 0xfff0; index < 0x10010; index++) {
    const { packet, sealed } = at(index);
    const forged = Buffer.from(sealed);
    forged[14] = (forged[14] as number) ^ 1;
    expect(receiver.unprotectRtp(forged)).toBeUndefined();
    expect(receiver.unprotectRtp(sealed)).toEqual(packet);
    expect(receiver.unprotectRtp(sealed)).toBeUndefined();
  }
  expect(receiver.highestIndex(0xcafebabe)).toBe(0x1000f);
  // One that was overtaken, but not by much.
  const behind = new SrtpReceiver(parameters, 0x1000f);
  expect(behind.unprotectRtp(at(0xffff).sealed)).toEqual(at(0xffff).packet);
  for (let length = 0; length < 40; length++) {
    expect(receiver.unprotectRtp(Buffer.alloc(length, 0x80))).toBeUndefined();
    expect(receiver.unprotectRtcp(Buffer.alloc(length, 0x80))).toBeUndefined();
  }
});

test('a key of the wrong length is refused', () => {
  const parameters = { suite: 'AES_CM_128_HMAC_SHA1_80', sendKey: gcmKey, receiveKey: gcmKey } as const;
  expect(() => new SrtpSender(parameters)).toThrow(RangeError);
});

test.each(srtpSuites)('%s: a stream that wrapped before it was listened to is understood, and goes on', (suite) => {
  const key = suite === 'AEAD_AES_128_GCM' ? gcmKey : cmKey;
  const parameters = { suite, sendKey: key, receiveKey: key };
  const sender = new SrtpSender(parameters);
  const receiver = new SrtpReceiver(parameters);
  for (const index of [0x10005, 0x10003, 0x10006, 0x1ffff, 0x20000]) {
    const packet = Buffer.from(rtp);
    packet.writeUInt16BE(index & 0xffff, 2);
    const sealed = sender.protectRtp(packet, index);
    if (index === 0x1ffff)
      for (let between = 0x18000; between < index; between += 0x4000) {
        packet.writeUInt16BE(between & 0xffff, 2);
        receiver.unprotectRtp(sender.protectRtp(packet, between));
      }
    packet.writeUInt16BE(index & 0xffff, 2);
    expect(receiver.unprotectRtp(sealed)).toEqual(packet);
    expect(receiver.highestIndex(0xcafebabe)).toBe(index === 0x10003 ? 0x10005 : index);
  }
});
