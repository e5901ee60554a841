import { expect, test } from 'vitest';
import { SourceClock } from './source-clock.ts';

const ms = 1_000;
const at = (ptsMs: number, dtsMs = ptsMs) => ({ ptsUs: ptsMs * ms, dtsUs: dtsMs * ms });

test('a source that is held up at its start is placed by its earliest unit, not by its first', () => {
  const clock = new SourceClock();
  // The first comes 600 ms late, and each that follows a little less.
  for (let n = 0; n <= 60; n++) clock.place(at(n * 20), (n * 20 + Math.max(0, 600 - n * 10)) * ms);
  const placedUs = clock.place(at(1_220), 1_220 * ms);
  expect(Math.abs(placedUs - 1_220 * ms)).toBeLessThanOrEqual(40 * ms);
});

test('streams of a source keep their distance whatever happens to the line', () => {
  const clock = new SourceClock();
  for (let n = 0; n < 500; n++) {
    const nowUs = (n * 20 + 300 * Math.abs(Math.sin(n / 40))) * ms;
    const audioUs = clock.place(at(n * 20), nowUs);
    expect(clock.at(n * 20 * ms)).toBe(audioUs);
    expect(clock.at((n * 20 + 5) * ms) - audioUs).toBeCloseTo(5 * ms);
  }
});

test('frames that are sent before they are to be shown do not count as early', () => {
  const clock = new SourceClock();
  clock.place(at(0), 0);
  // Two B-frames: each reference is sent 66 ms before it is to be shown.
  for (let n = 1; n < 100; n++) clock.place(at(n * 33 + 66, n * 33), n * 33 * ms);
  expect(clock.at(0)).toBe(0);
});

test('a stall and the burst after it leave the line where it was', () => {
  const clock = new SourceClock();
  for (let n = 0; n < 100; n++) clock.place(at(n * 20), n * 20 * ms);
  // Three seconds of nothing, and then all of it at once.
  for (let n = 100; n < 250; n++) clock.place(at(n * 20), 5_000 * ms);
  for (let n = 250; n < 300; n++) clock.place(at(n * 20), n * 20 * ms);
  expect(Math.abs(clock.at(6_000 * ms) - 6_000 * ms)).toBeLessThanOrEqual(40 * ms);
});

test('a delay that stays is taken for granted after a moment', () => {
  const clock = new SourceClock();
  for (let n = 0; n < 100; n++) clock.place(at(n * 20), n * 20 * ms);
  for (let n = 100; n < 250; n++) clock.place(at(n * 20), (n * 20 + 500) * ms);
  expect(Math.abs(clock.at(5_000 * ms) - 5_500 * ms)).toBeLessThanOrEqual(40 * ms);
});

test('sound and picture of one moment are placed alike, though the line takes a step between the two', () => {
  const clock = new SourceClock();
  const placed: number[] = [];
  const lateMs = (n: number) => (n > 100 && n < 250 ? 500 : 0);
  for (let n = 0; n < 400; n++) {
    const audioUs = clock.place(at(n * 20), (n * 20 + lateMs(n)) * ms);
    // The picture comes two frames of sound later.
    const video = n < 2 ? undefined : clock.place(at(n * 20 - 40), (n * 20 + lateMs(n)) * ms + 1);
    if (n > 60 && video !== undefined) expect(video).toBe(placed.at(-2));
    placed.push(audioUs);
  }
  expect(Math.max(...placed.map((us, n) => us - n * 20 * ms))).toBeGreaterThan(400 * ms);
});

test('a clock that begins anew is placed anew', () => {
  const clock = new SourceClock();
  for (let n = 0; n < 100; n++) clock.place(at(100_000 + n * 20), n * 20 * ms);
  expect(clock.place(at(0), 2_000 * ms)).toBe(2_000 * ms);
  expect(clock.place(at(20), 2_020 * ms)).toBe(2_020 * ms);
});

test('the line is said to stand when it has not moved for a moment, and at the latest after a second; and for good', () => {
  const clock = new SourceClock();
  expect(clock.isSettled(0)).toBe(false);
  clock.place(at(0), 200 * ms);
  clock.place(at(100), 200 * ms); // earlier: the line moves
  expect(clock.isSettled(400 * ms)).toBe(false);
  expect(clock.isSettled(501 * ms)).toBe(true);
  clock.place(at(1_100), 1_100 * ms);
  expect(clock.isSettled(1_101 * ms)).toBe(true);
  const restless = new SourceClock();
  for (let n = 0; n < 10; n++) restless.place(at(n * 100), (n * 50 + 600) * ms);
  expect([restless.isSettled(1_050 * ms), restless.isSettled(1_601 * ms)]).toEqual([false, true]);
});

test('when the line is said to stand it is where the units of least delay are, and stays there', () => {
  const clock = new SourceClock();
  // The first is held up: the line steps by 60 of the 75 ms that the next come earlier.
  clock.place(at(0), 100 * ms);
  for (let n = 1; n < 20; n++) clock.place(at(n * 20), (n * 20 + 25 + ((n - 1) % 3)) * ms);
  expect(clock.isSettled(400 * ms)).toBe(true);
  const placed = Array.from({ length: 500 }, (_, n) => clock.place(at(400 + n * 20), (425 + n * 20 + (n % 3)) * ms));
  expect(Math.max(...placed.map((us, n) => Math.abs(us - (425 + n * 20) * ms)))).toBeLessThan(1 * ms);
});
