import { expect, test } from 'vitest';
import { DeliveryClock } from './delivery-clock.ts';

const latencyUs = 120_000;
const make = (timestampUs = 1_000, arrivalUs = 50_000) => new DeliveryClock({ latencyUs, arrivalUs, timestampUs });

test('a packet is due its latency after it was sent, however long it took', () => {
  const clock = make();
  expect(clock.dueUs(11_000, 60_000)).toBe(180_000);
  expect(clock.dueUs(21_000, 159_000)).toBe(190_000);
});

test('time stamps that wrap after 71 minutes go on, reordered ones too', () => {
  const wrap = 2 ** 32;
  const clock = make(wrap - 20_000, 1_000_000);
  expect(clock.dueUs(5_000, 1_025_000)).toBe(1_025_000 + latencyUs);
  expect(clock.dueUs(wrap - 5_000, 1_026_000)).toBe(1_015_000 + latencyUs);
  expect(clock.dueUs(10_000, 1_030_000)).toBe(1_030_000 + latencyUs);
});

test('a time stamp from the far future holds nothing up', () => {
  const clock = make();
  expect(clock.dueUs(1_000 + 1_800_000_000, 60_000)).toBe(60_000 + latencyUs);
  expect(clock.dueUs(12_000, 61_000)).toBe(181_000);
});

test("the sender's clock may drift: deliveries follow it, slowly and against jitter", () => {
  const clock = make(0, 0);
  const rttUs = 40_000;
  // The sender's clock is slow by 100 ppm; ACKACKs come each 10 ms with up to 4 ms of jitter.
  const runUs = 60_000_000;
  for (let us = 0, i = 0; us < runUs; us += 10_000, i += 1) {
    clock.noteAckAck(Math.floor(us * 0.9999), us + (i % 5) * 1_000, rttUs);
  }
  const dueUs = clock.dueUs(runUs * 0.9999, runUs);
  expect(dueUs - runUs - latencyUs).toBeGreaterThan(-2_000);
  expect(dueUs - runUs - latencyUs).toBeLessThan(4_000);
});

test('one burst of wrong ACKACKs moves the clock by five milliseconds at most', () => {
  const clock = make(0, 0);
  for (let i = 0; i < 1_000; i += 1) clock.noteAckAck(0, 60_000_000, 1_000);
  expect(clock.dueUs(0, 0)).toBeLessThanOrEqual(latencyUs + 5_000);
});
