import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readConclusion } from './agreement.ts';
import {
  extensionType,
  type Handshake,
  handshakeType,
  parseHandshake,
  parseTerms,
  parseText,
  serializeHandshake,
  serializeTerms,
  serializeText,
  termFlag,
} from './handshake.ts';
import { HandshakeRefusal, rejection } from './status.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });
const half = fc.integer({ min: 0, max: 0xffff });
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((all) => Buffer.from(all));
const anyHandshake: fc.Arbitrary<Handshake> = fc.record({
  version: word,
  encryption: half,
  extensionField: half,
  initialSequenceNumber: fc.integer({ min: 0, max: 0x7fffffff }),
  mtuBytes: word,
  flowWindowPackets: word,
  type: word,
  socketId: word,
  cookie: word,
  peerAddress: bytes(16),
  extensions: fc.array(
    fc.record({
      type: fc.integer({ min: 1, max: 0xffff }),
      data: fc.integer({ min: 0, max: 40 }).chain((words) => bytes(words * 4)),
    }),
    { maxLength: 16 },
  ),
});

test('handshakes come back as they were written', () => {
  fc.assert(
    fc.property(anyHandshake, (one) => {
      expect(parseHandshake(serializeHandshake(one))).toEqual(one);
    }),
  );
});

test('a handshake that is cut anywhere is read without it or not at all; none throws', () => {
  fc.assert(
    fc.property(anyHandshake, fc.nat(400), (one, keep) => {
      const cut = parseHandshake(serializeHandshake(one).subarray(0, keep));
      if (keep < 48) expect(cut).toBeUndefined();
      else expect(cut?.extensions ?? []).toEqual(one.extensions.slice(0, cut?.extensions.length ?? 0));
    }),
  );
});

test('any bytes are a handshake or none, and never more than a refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (any, isResponse) => {
      const handshake = parseHandshake(Buffer.from(any));
      if (!handshake) return;
      try {
        readConclusion(handshake, isResponse);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(HandshakeRefusal);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('texts come back, of any length up to 512 bytes; longer ones are not carried', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 128, unit: 'binary' }), (text) => {
      fc.pre(!text.endsWith('\0'));
      expect(parseText(serializeText(text))).toBe(text);
    }),
  );
  expect(serializeText('abcde').toString('latin1')).toBe('dcba\0\0\0e');
  expect(() => serializeText('x'.repeat(513))).toThrow(RangeError);
});

test('terms come back as they were written', () => {
  const terms = { srtVersion: 0x010501, flags: 0x3f, receiverLatencyMs: 120, senderLatencyMs: 65_535 };
  expect(parseTerms(serializeTerms(terms))).toEqual(terms);
  expect(parseTerms(Buffer.alloc(11))).toBeUndefined();
});

const live: Handshake = {
  ...{ version: 5, encryption: 0, extensionField: 1, initialSequenceNumber: 7, mtuBytes: 1_500 },
  ...{
    flowWindowPackets: 8_192,
    type: handshakeType.conclusion,
    socketId: 9,
    cookie: 1,
    peerAddress: Buffer.alloc(16),
  },
  extensions: [
    {
      type: extensionType.handshakeRequest,
      data: serializeTerms({ srtVersion: 0x010501, flags: 0x3f, receiverLatencyMs: 120, senderLatencyMs: 80 }),
    },
  ],
};
const withTerms = (flags: number, srtVersion: number) => ({
  type: extensionType.handshakeRequest,
  data: serializeTerms({ srtVersion, flags, receiverLatencyMs: 0, senderLatencyMs: 0 }),
});

test('a live caller is taken at its word', () => {
  expect(readConclusion({ ...live, flowWindowPackets: 0xffffffff }, false)).toMatchObject({
    ...{ socketId: 9, initialSequenceNumber: 7, payloadBytes: 1_316, flowWindowPackets: 25_600 },
    ...{ receiverLatencyMs: 120, senderLatencyMs: 80, streamId: '', keyMessage: undefined },
  });
  expect(readConclusion({ ...live, mtuBytes: 1_000 }, false).payloadBytes).toBe(956);
});

test.each<[string, Partial<Handshake>, number]>([
  ['version 4', { version: 4 }, rejection.version],
  ['no terms', { extensions: [] }, rejection.version],
  ['SRT 1.2', { extensions: [withTerms(0x3f, 0x010200)] }, rejection.version],
  ['file mode by stream API', { extensions: [withTerms(0x3f | termFlag.isStream, 0x010501)] }, rejection.messageApi],
  [
    'file mode',
    { extensions: [...live.extensions, { type: extensionType.congestion, data: serializeText('file') }] },
    rejection.congestion,
  ],
  [
    'a packet filter',
    { extensions: [...live.extensions, { type: extensionType.filter, data: serializeText('fec,cols:10') }] },
    rejection.filter,
  ],
  [
    'bonding',
    { extensions: [...live.extensions, { type: extensionType.group, data: Buffer.alloc(8) }] },
    rejection.group,
  ],
  ['no socket', { socketId: 0 }, rejection.rogue],
  ['a tiny MTU', { mtuBytes: 40 }, rejection.rogue],
])('%s is refused with a reason of its own', (_what, change, reason) => {
  let thrown: unknown;
  try {
    readConclusion({ ...live, ...change }, false);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ rejection: reason });
});
