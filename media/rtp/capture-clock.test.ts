import { expect, test } from 'vitest';
import { CaptureClock, ReportClock } from './capture-clock.ts';
import { toNtp } from './sequence.ts';

const wallUs = 1_700_000_000_000_000;
const report = (unixUs: number) => {
  const { seconds, fraction } = toNtp(unixUs);
  return { kind: 'sr', ssrc: 1, ntpSeconds: seconds, ntpFraction: fraction, rtpTimestamp: 0, reports: [] } as never;
};

test('reports lie where the quickest of them says, whatever their way adds to the others', () => {
  const clock = new ReportClock();
  clock.toClockUs(report(wallUs), 20_000);
  expect(clock.toClockUs(report(wallUs + 500_000), 590_000)).toBeCloseTo(520_000, -1);
  expect(clock.toClockUs(report(wallUs + 1_000_000), 1_010_000)).toBeCloseTo(1_010_000, -1);
  expect(clock.toClockUs(report(wallUs + 1_500_000), 1_570_000)).toBeCloseTo(1_510_000, -1);
});

test('a way that has become slower is followed after a while', () => {
  const clock = new ReportClock();
  for (let at = 0; at < 70e6; at += 1e6) clock.toClockUs(report(wallUs + at), at + (at < 5e6 ? 10_000 : 60_000));
  expect(clock.toClockUs(report(wallUs + 71e6), 71e6 + 60_000)).toBeCloseTo(71e6 + 60_000, -1);
});

test('a wall clock that is set makes a new beginning', () => {
  const clock = new ReportClock();
  clock.toClockUs(report(wallUs), 10_000);
  const setUs = wallUs + 7_200_000_000;
  expect(clock.toClockUs(report(setUs), 1_010_000)).toBeCloseTo(1_010_000, -1);
  expect(clock.toClockUs(report(setUs + 1_000_000), 2_030_000)).toBeCloseTo(2_010_000, -1);
});

test('time stamps are placed by the last report, past the wrap, and wobble is followed in part', () => {
  const clock = new CaptureClock(48_000);
  expect(clock.at(0, 0)).toBeUndefined();
  clock.note(0xffffff00, 1_000_000);
  expect(clock.at((0xffffff00 + 48_000) >>> 0, 2_050_000)).toBe(2_000_000);
  clock.note((0xffffff00 + 48_000) >>> 0, 2_010_000);
  expect(clock.at((0xffffff00 + 96_000) >>> 0, 3_050_000)).toBeCloseTo(3_003_000, -1);
  clock.note((0xffffff00 + 96_000) >>> 0, 3_800_000);
  expect(clock.at((0xffffff00 + 96_000) >>> 0, 3_900_000)).toBe(3_800_000);
});

test('nonsense is no capture time', () => {
  const clock = new CaptureClock(90_000);
  clock.note(0, 1_000_000);
  expect(clock.at(0, 5_000_000)).toBeUndefined();
  expect(clock.at(90_000 * 60, 1_000_000)).toBeUndefined();
});

test('a stream that is made here is placed exactly for days, past every wrap of its time stamps', () => {
  const clock = new CaptureClock(90_000, { rtpTimestamp: 12_345, clockUs: 1_000_000 });
  for (let afterS = 0; afterS < 72 * 3_600; afterS += 600) {
    const timestamp = (12_345 + afterS * 90_000) % 2 ** 32;
    const capturedUs = 1_000_000 + afterS * 1e6;
    expect(clock.at(timestamp, capturedUs + 80_000)).toBeCloseTo(capturedUs, 0);
  }
});
