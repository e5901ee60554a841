import { expect, test } from 'vitest';
import { levelOf } from './level-meter.ts';

const tone = (amplitude: number) => Float32Array.from({ length: 1_024 }, (_, index) => amplitude * Math.sin(index / 5));

test('silence is 0 and a full tone 1', () => {
  expect(levelOf(tone(0))).toBe(0);
  expect(levelOf(tone(1))).toBe(1);
});

test('louder is more, over the range of a voice', () => {
  const levels = [0.003, 0.01, 0.03, 0.1].map((amplitude) => levelOf(tone(amplitude)));
  expect(levels).toEqual(levels.toSorted((a, b) => a - b));
  expect(levels.every((level) => level > 0 && level < 1)).toBe(true);
});
