import { expect, test } from 'vitest';
import { decibelText, detectorsOf, findingText, valuesText } from './analysis-words.ts';

test.each([
  ['analytics.detected', { detector: 'silence', name: 'Gate', values: {} }, 'Silence in Gate'],
  [
    'analytics.detected',
    { detector: 'loudness', name: 'Hall', values: { shortTermLufs: -9.04 } },
    'Loudness out of bounds in Hall: -9.0 LUFS',
  ],
  ['analytics.detected', { detector: 'scene', name: 'Gate', values: { score: 31 } }, 'Change of scene in Gate: 31.0 %'],
  [
    'analytics.cleared',
    { detector: 'black', name: 'Gate', durationMs: 7_400, reason: null },
    'Black picture in Gate is over after 7 s',
  ],
  [
    'analytics.cleared',
    { detector: 'black', name: 'Gate', durationMs: 1, reason: 'interrupted' },
    'Black picture in Gate: not looked at any longer',
  ],
  // Of a server that is newer than the page.
  ['analytics.detected', { detector: 'blur', name: 'Gate' }, 'blur in Gate'],
] as const)('%s of %o reads well', (type, data, words) => {
  expect(findingText({ type, data })).toBe(words);
});

test('what is not looked for is not named, and silence has no loudness', () => {
  expect(detectorsOf({ detectors: { black: undefined, silence: { minDurationMs: 1, levelDb: -50 } } })).toEqual([
    'Silence',
  ]);
  expect([decibelText(null), decibelText(-23.04), valuesText({ difference: 3, other: 1 })]).toEqual([
    '–',
    '-23.0',
    '3.0 of 255, 1.0',
  ]);
});
