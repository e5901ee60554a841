import { describe, expect, test } from 'vitest';
import { AacEncoder, aacFrameSamples } from './aac-encoder.ts';
import { AudioDecoder } from './audio-decoder.ts';

/** s16 stereo: left 440 Hz, right 1 kHz. */
function tones(count: number): Int16Array {
  const samples = new Int16Array(count * 2);
  for (let n = 0; n < count; n++) {
    samples[2 * n] = Math.round(8_000 * Math.sin((2 * Math.PI * 440 * n) / 48_000));
    samples[2 * n + 1] = Math.round(8_000 * Math.sin((2 * Math.PI * 1_000 * n) / 48_000));
  }
  return samples;
}

/** Energy at one frequency, of one channel. */
function level(samples: Int16Array, channel: number, hz: number): number {
  let [re, im] = [0, 0];
  const count = samples.length / 2;
  for (let n = 0; n < count; n++) {
    const value = samples[2 * n + channel] as number;
    re += value * Math.cos((2 * Math.PI * hz * n) / 48_000);
    im += value * Math.sin((2 * Math.PI * hz * n) / 48_000);
  }
  return (2 * Math.hypot(re, im)) / count;
}

describe('AAC encoder', () => {
  test('what it makes is heard again, each channel on its side, frames without a gap', () => {
    using encoder = new AacEncoder(128_000);
    using decoder = new AudioDecoder({ codec: 'aac', config: encoder.config, output: encoder.shape });
    const frames: { data: Buffer; sample: number }[] = [];
    const input = tones(48_000);
    // In pieces that are no multiple of a frame.
    for (let at = 0; at < input.length; at += 1_922) {
      encoder.push(input.subarray(at, at + 1_922), (data, sample) => frames.push({ data, sample }));
    }
    expect(frames.length).toBeGreaterThan(40);
    expect(frames[0]?.sample).toBe(-aacFrameSamples);
    frames.forEach(({ sample }, n) => {
      expect(sample).toBe((n - 1) * aacFrameSamples);
    });
    const decoded: Int16Array[] = [];
    for (const { data, sample } of frames) {
      expect(decoder.decode(data, (sample * 1e6) / 48_000, (samples) => decoded.push(samples))).toBe(true);
    }
    const middle = decoded.slice(10, 30).flatMap((samples) => [...samples]);
    const heard = Int16Array.from(middle);
    expect(level(heard, 0, 440)).toBeGreaterThan(6_000);
    expect(level(heard, 0, 1_000)).toBeLessThan(800);
    expect(level(heard, 1, 1_000)).toBeGreaterThan(6_000);
    expect(level(heard, 1, 440)).toBeLessThan(800);
  });

  test('after it is closed it refuses sound', () => {
    const encoder = new AacEncoder(64_000);
    encoder[Symbol.dispose]();
    expect(() => encoder.push(tones(1_024), () => undefined)).toThrow('closed');
  });
});
