import { expect, test } from 'vitest';
import { legCodecs } from '#core/leg-media.ts';
import { joinOpusFrames } from '../legs/leg-output.ts';
import { durationOf } from '../rtp/voice-duration.ts';
import { MixSound } from './mix-sound.ts';

const tone = (amplitude: number, from = 0) =>
  Float32Array.from({ length: 960 }, (_, i) => amplitude * Math.sin((2 * Math.PI * 500 * (from + i)) / 48_000));

test('each codec is encoded once, whoever asks how often', () => {
  const sound = new MixSound();
  sound.set(tone(8_000));
  for (const codec of legCodecs) {
    const payload = sound.payload(codec);
    expect(sound.payload(codec)).toBe(payload);
    expect(durationOf(codec, payload)).toBe(codec === 'opus' ? 960 : 160);
  }
  expect(sound.encodes).toBe(legCodecs.length);
  sound.close();
});

test('10 ms packets are halves of the same frame', () => {
  const sound = new MixSound();
  sound.set(tone(8_000));
  for (const codec of legCodecs) {
    const durations = sound.halves(codec).map((half) => durationOf(codec, half));
    expect(durations).toEqual(codec === 'opus' ? [480, 480] : [80, 80]);
  }
  sound.close();
});

test('what is too loud is turned down and not cut, what is not stays as it is', () => {
  const sound = new MixSound();
  sound.set(tone(20_000));
  expect(Math.max(...sound.samples)).toBe(20_000);
  for (let frame = 0; frame < 5; frame++) sound.set(tone(90_000, frame * 960));
  expect(Math.max(...sound.samples)).toBeLessThanOrEqual(30_001);
  // A cut sine stands still at its top; this one does not.
  const peak = Math.max(...sound.samples);
  expect([...sound.samples].filter((sample) => sample === peak).length).toBeLessThan(25);
  for (let frame = 0; frame < 40; frame++) sound.set(tone(10_000, frame * 960));
  expect(Math.max(...sound.samples)).toBe(10_000);
  sound.close();
});

test.each([2, 3])('%d Opus frames in one packet keep their duration (RFC 6716 §3.2.5)', (count) => {
  const sound = new MixSound();
  const frames = Array.from({ length: count }, (_, i) => {
    sound.set(tone(8_000, i * 960));
    return Uint8Array.from(sound.payload('opus'));
  });
  const joined = joinOpusFrames(frames);
  expect(durationOf('opus', joined)).toBe(960 * count);
  expect(joined.length).toBe(2 + frames.reduce((sum, { length }) => sum + length - 1, 0) + count - 1);
  sound.close();
});
