import { expect, test } from 'vitest';
import { measureFrequency } from './test-signals.ts';
import { maxVoiceSamples, type VoiceCodec, VoiceDecoder, VoiceEncoder } from './voice-codecs.ts';

const rates: Record<VoiceCodec, number> = { opus: 48_000, g722: 16_000 };

function tone(count: number, rateHz: number, from: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * 440 * (from + i)) / rateHz)),
  );
}

test.each([
  ['opus', 20],
  ['opus', 10],
  ['g722', 20],
] as const)('%s in frames of %d ms gives back the tone that went in', (codec, frameMs) => {
  using encoder = new VoiceEncoder({ codec, frameMs, bitrateBps: 32_000 });
  using decoder = new VoiceDecoder(codec);
  const rateHz = rates[codec];
  const count = (rateHz / 1_000) * frameMs;
  const packet = new Uint8Array(1_500);
  const samples = new Int16Array(maxVoiceSamples);
  const heard: number[] = [];
  for (let frame = 0; frame < 100; frame++) {
    const length = encoder.encode(tone(count, rateHz, frame * count), packet);
    expect(length).toBeGreaterThan(1);
    expect(decoder.decode(packet.subarray(0, length), samples)).toBe(count);
    if (frame > 20) heard.push(...samples.subarray(0, count));
  }
  expect(Math.abs(measureFrequency(Int16Array.from(heard), 1, rateHz) - 440)).toBeLessThan(5);
});

test('Opus makes up a lost frame, and a broken packet gives nothing', () => {
  using encoder = new VoiceEncoder({ codec: 'opus', frameMs: 20, bitrateBps: 32_000 });
  using decoder = new VoiceDecoder('opus');
  const packet = new Uint8Array(1_500);
  const samples = new Int16Array(maxVoiceSamples);
  expect(decoder.conceal(samples)).toBe(0);
  for (let frame = 0; frame < 20; frame++) {
    const length = encoder.encode(tone(960, 48_000, frame * 960), packet);
    decoder.decode(packet.subarray(0, length), samples);
  }
  expect(decoder.conceal(samples)).toBe(960);
  expect(Math.max(...samples.subarray(0, 960))).toBeGreaterThan(4_000);
  expect(decoder.decode(new Uint8Array(0), samples)).toBe(0);
  expect(decoder.decode(Uint8Array.of(0xff, 0xff, 0xff), samples)).toBe(0);
});
