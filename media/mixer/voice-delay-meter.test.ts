import { beforeEach, expect, test } from 'vitest';
import { VoiceDelayMeter } from './voice-delay-meter.ts';

const clockRateHz = 48_000;
const beat = 20_000;
const ticks = 960;

const told: number[] = [];
beforeEach(() => told.splice(0));

/** A voice that arrives 5 ms after it was captured and is played `delayUs` after that. */
function play(meter: VoiceDelayMeter, fromBeat: number, beats: number, delayUs: number): void {
  for (let n = fromBeat; n < fromBeat + beats; n++) {
    meter.note(n * ticks, n * beat + 5_000);
    meter.measure(n * ticks, n * beat + delayUs);
    const news = meter.news();
    if (news !== undefined) told.push(news);
  }
}

test('by arrival until a report says when it was captured', () => {
  const meter = new VoiceDelayMeter({ clockRateHz, codecDelayMs: 0 });
  play(meter, 0, 50, 65_000);
  expect(told).toEqual([60]);
  meter.captureClock.note(50 * ticks, 50 * beat);
  play(meter, 50, 100, 65_000);
  expect(told.at(-1)).toBeGreaterThanOrEqual(64);
  expect(told.length).toBeLessThan(5);
});

test('a step of the jitter buffer is told at once, wobble is not', () => {
  const meter = new VoiceDelayMeter({ clockRateHz, timeline: { rtpTimestamp: 0, clockUs: 0 }, codecDelayMs: 13 });
  play(meter, 0, 20, 60_000);
  for (let n = 20; n < 60; n++) play(meter, n, 1, 60_000 + (n % 2 === 0 ? 9_000 : -9_000));
  expect(told).toEqual([73]);
  play(meter, 60, 1, 80_000);
  expect(told).toEqual([73, 93]);
});
