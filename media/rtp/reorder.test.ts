import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RtpPacket } from './packet.ts';
import { ReorderBuffer } from './reorder.ts';

const packet = (n: number, ssrc = 1): RtpPacket => ({
  payloadType: 96,
  marker: false,
  sequenceNumber: n & 0xffff,
  timestamp: n,
  ssrc,
  payload: new Uint8Array(1),
});

test('whatever the order within the patience, each packet comes out once and in order', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffff }),
      fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 200 }),
      (start, delays) => {
        const buffer = new ReorderBuffer({ maxWaitUs: 1e9, maxPackets: 512 });
        const out: number[] = [];
        // The first goes first: before it nobody knows where the stream begins.
        const order = delays.map((delay, n) => ({ n, at: n === 0 ? -1 : n + delay })).sort((a, b) => a.at - b.at);
        for (const { n } of order) {
          buffer.push(packet(start + n), 0, ({ timestamp }) => out.push(timestamp - start));
          // And a double of each.
          buffer.push(packet(start + n), 0, ({ timestamp }) => out.push(timestamp - start));
        }
        expect(out).toEqual(delays.map((_, n) => n));
      },
    ),
  );
});

test('a lost packet is waited for and then given up', () => {
  const buffer = new ReorderBuffer({ maxWaitUs: 50_000, maxPackets: 512 });
  const out: number[] = [];
  const emit = ({ timestamp }: RtpPacket) => out.push(timestamp);
  buffer.push(packet(1), 0, emit);
  buffer.push(packet(3), 10_000, emit);
  expect([out, buffer.missing]).toEqual([[1], [2]]);
  buffer.expire(59_000, emit);
  expect(out).toEqual([1]);
  buffer.expire(60_000, emit);
  expect([out, buffer.lost]).toEqual([[1, 3], 1]);
  buffer.push(packet(2), 61_000, emit);
  expect([out, buffer.late]).toEqual([[1, 3], 1]);
});

test('it holds no more than it may, and a sender that begins anew is followed', () => {
  const buffer = new ReorderBuffer({ maxWaitUs: 1e9, maxPackets: 10 });
  const out: number[] = [];
  const emit = ({ timestamp }: RtpPacket) => out.push(timestamp);
  buffer.push(packet(0), 0, emit);
  for (let n = 2; n < 40; n++) buffer.push(packet(n), 0, emit);
  expect(buffer.size).toBeLessThanOrEqual(10);
  expect(out.at(-1)).toBe(39);
  buffer.push(packet(20_000), 0, emit);
  buffer.push(packet(7, 2), 0, emit);
  expect(out.slice(-2)).toEqual([20_000, 7]);
});
