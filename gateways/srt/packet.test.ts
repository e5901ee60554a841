import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  controlType,
  markRetransmitted,
  packetTimestamp,
  parsePacket,
  serializeControl,
  serializeData,
} from './packet.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });
const payload = fc.uint8Array({ maxLength: 1_456 }).map((bytes) => Buffer.from(bytes));
const data = fc.record({
  sequenceNumber: fc.integer({ min: 0, max: 0x7fffffff }),
  messageNumber: fc.integer({ min: 0, max: 0x03ffffff }),
  keyFlag: fc.integer({ min: 0, max: 3 }),
  isRetransmitted: fc.boolean(),
  timestampUs: word,
  socketId: word,
  payload,
});

test('data packets come back as they were written', () => {
  fc.assert(
    fc.property(data, (packet) => {
      expect(parsePacket(serializeData(packet))).toEqual({ kind: 'data', ...packet });
    }),
  );
});

test('a packet that goes out again says so, and nothing else in it changes', () => {
  fc.assert(
    fc.property(data, (packet) => {
      const datagram = serializeData(packet);
      markRetransmitted(datagram);
      expect(parsePacket(datagram)).toEqual({ kind: 'data', ...packet, isRetransmitted: true });
    }),
  );
});

test('control packets come back as they were written, those without a body with four bytes of nothing', () => {
  const fields = fc.record({
    type: fc.integer({ min: 0, max: 0x7fff }),
    subtype: fc.integer({ min: 0, max: 0xffff }),
    info: word,
    timestampUs: word,
    socketId: word,
    body: payload,
  });
  fc.assert(
    fc.property(fields, (packet) => {
      expect(parsePacket(serializeControl(packet))).toEqual({ kind: 'control', ...packet });
    }),
  );
  expect(serializeControl({ type: controlType.keepAlive, timestampUs: 1, socketId: 2 })).toHaveLength(20);
});

test('what is shorter than a header is no packet, and no other bytes throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(parsePacket(Buffer.from(bytes)) === undefined).toBe(bytes.length < 16);
    }),
  );
});

test('time stamps count microseconds and wrap at 2^32', () => {
  expect(packetTimestamp(1_500.7, 1_000)).toBe(500);
  expect(packetTimestamp(2 ** 32 + 1_007, 1_000)).toBe(7);
  expect(packetTimestamp(10, 1_000)).toBe(0);
});
