import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { promptLanguages, promptNames } from '#core/leg-media.ts';
import { measureFrequency } from '../av/test-signals.ts';
import { Prompts } from './prompts.ts';
import { decodeRecording } from './recording.ts';

function wav(samples: Int16Array, rateHz: number, channels = 1): Buffer {
  const bytes = Buffer.alloc(44 + samples.byteLength);
  bytes.write('RIFF', 0);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(rateHz, 24);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples.byteLength, 40);
  samples.forEach((sample, i) => {
    bytes.writeInt16LE(sample, 44 + i * 2);
  });
  return bytes;
}

const tone = (rateHz: number) =>
  Int16Array.from({ length: rateHz }, (_, i) => Math.round(9_000 * Math.sin((2 * Math.PI * 440 * i) / rateHz)));

test.each([8_000, 16_000, 44_100, 48_000])('a WAV file of %d Hz is a second of the same tone', (rateHz) => {
  const samples = decodeRecording(wav(tone(rateHz), rateHz)) ?? new Int16Array(0);
  expect(samples.length).toBe(48_000);
  expect(Math.abs(measureFrequency(samples, 1, 48_000) - 440)).toBeLessThan(2);
});

test('there is a recording of each prompt in each language', () => {
  const prompts = new Prompts(undefined);
  for (const language of promptLanguages) {
    for (const name of promptNames) {
      const { length } = prompts.get(name, language);
      expect(length, `${language}/${name}`).toBeGreaterThan(48_000 * 0.3);
      expect(length).toBeLessThan(48_000 * 30);
    }
  }
});

test("the operator's recording comes first, ours where there is none", () => {
  const folder = mkdtempSync(join(tmpdir(), 'prompts-'));
  mkdirSync(join(folder, 'en'));
  writeFileSync(join(folder, 'en', 'welcome.wav'), wav(tone(8_000), 8_000));
  const prompts = new Prompts(folder);
  expect(prompts.get('welcome', 'en').length).toBe(48_000);
  expect(prompts.get('goodbye', 'en')).toEqual(new Prompts(undefined).get('goodbye', 'en'));
  expect(prompts.get('welcome', 'fr')).toEqual(prompts.get('welcome', 'en'));
  rmSync(folder, { recursive: true });
});

test('files that are cut or changed anywhere give something or nothing, never an exception', () => {
  const good = readFileSync(new URL('../prompts/en/welcome.opus', import.meta.url));
  const whole = wav(tone(8_000).subarray(0, 400), 8_000);
  for (const file of [good, whole]) {
    for (let i = 0; i < 300; i++) {
      const copy = Buffer.from(file.subarray(0, Math.floor((file.length * (i + 1)) / 300)));
      for (let n = 0; n < 4; n++) copy[(i * 7_919 + n * 104_729) % copy.length] = (i * 31 + n * 17) & 0xff;
      expect(() => decodeRecording(copy)).not.toThrow();
    }
  }
});
