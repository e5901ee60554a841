import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReceiveBuffer } from './receive-buffer.ts';

const window = 64;
const make = (initialSequenceNumber = 0) =>
  new ReceiveBuffer({ initialSequenceNumber, windowPackets: window, maxBytes: 10_000 });
const packet = (number: number, dueUs: number) => ({ payload: Buffer.from(String(number)), dueUs });

function drain(buffer: ReceiveBuffer, nowUs: number): number[] {
  const taken: number[] = [];
  for (let one = buffer.take(nowUs); one; one = buffer.take(nowUs)) taken.push(Number(one));
  return taken;
}

test('packets are handed on in order, once, none before its time, whatever order they come in', () => {
  const order = fc.shuffledSubarray(
    Array.from({ length: 60 }, (_, i) => i),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(order, fc.boolean(), (numbers, wraps) => {
      const first = wraps ? 0x7fffffff - 20 : 0;
      const buffer = make(first);
      for (const number of numbers) {
        const field = (first + number) % 0x80000000;
        expect(buffer.put(buffer.extend(field), packet(number, 1_000 + number), 1).arrival).toBe('stored');
        expect(buffer.put(buffer.extend(field), packet(number, 1_000 + number), 1).arrival).toBe('duplicate');
        expect(buffer.take(999)).toBeUndefined();
      }
      const taken: number[] = [];
      for (let nowUs = 1_000; nowUs < 1_070; nowUs += 1) {
        const due = drain(buffer, nowUs);
        for (const number of due) expect(1_000 + number).toBeLessThanOrEqual(nowUs);
        taken.push(...due);
      }
      const last = Math.max(...numbers);
      expect(taken).toEqual(numbers.sort((a, b) => a - b));
      expect(buffer.droppedPackets).toBe(last + 1 - numbers.length);
      expect(buffer.lossCount).toBe(0);
    }),
  );
});

test('what is not here is in the losses, and what is acknowledged is all here: always', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), offset: fc.integer({ min: -10, max: window + 10 }) }),
    fc.record({ kind: fc.constant('take' as const), passUs: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ kind: fc.constant('drop' as const), offset: fc.integer({ min: -10, max: 200 }), count: fc.nat(200) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const buffer = make(1_000);
      let nowUs = 1;
      let lastTaken = -1;
      for (const one of steps) {
        if (one.kind === 'put') {
          const number = Math.max(0, buffer.acknowledged + one.offset);
          buffer.put(number, packet(number, number), nowUs);
        } else if (one.kind === 'drop') {
          const from = buffer.acknowledged + one.offset;
          buffer.drop(from, from + one.count);
        } else {
          nowUs += one.passUs;
          for (const number of drain(buffer, nowUs + 1_000)) {
            expect(number).toBeGreaterThan(lastTaken);
            lastTaken = number;
          }
        }
        expect(buffer.freePackets).toBeGreaterThanOrEqual(0);
        expect(buffer.waitingPackets + buffer.lossCount).toBeLessThanOrEqual(window);
        expect(buffer.acknowledged).toBeGreaterThan(lastTaken);
      }
    }),
  );
});

test('losses are told once and again only when asked for what is older', () => {
  const buffer = make();
  expect(buffer.put(3, packet(3, 100), 10)).toEqual({ arrival: 'stored', gap: [0, 1, 2] });
  expect(buffer.report(5, 20)).toEqual([]);
  expect(buffer.put(1, packet(1, 100), 15)).toEqual({ arrival: 'stored' });
  expect(buffer.report(10, 20)).toEqual([0, 2]);
  expect(buffer.report(10, 25)).toEqual([]);
  expect(buffer.acknowledged).toBe(0);
});

test('after an outage longer than its window it goes on with what comes', () => {
  const buffer = make();
  buffer.put(0, packet(0, 1), 1);
  expect(buffer.put(5_000, packet(5_000, 2), 2).arrival).toBe('beyond');
  drain(buffer, 1);
  expect(buffer.put(5_000, packet(5_000, 2), 2).arrival).toBe('stored');
  expect(drain(buffer, 2)).toEqual([5_000]);
  expect(buffer.droppedPackets).toBe(4_999);
});

test('it holds no more bytes than it may', () => {
  const buffer = make();
  const big = { payload: Buffer.alloc(6_000), dueUs: 1 };
  expect(buffer.put(0, big, 1).arrival).toBe('stored');
  expect(buffer.put(1, big, 1).arrival).toBe('beyond');
  buffer.take(1);
  expect(buffer.put(1, big, 1).arrival).toBe('stored');
});
