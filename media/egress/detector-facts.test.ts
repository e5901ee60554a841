import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { FactReader, pictureChain, soundChain } from './detector-facts.ts';
import { Latch } from './latch.ts';

test('only what is asked for is looked for, and loudness before silence', () => {
  assert.deepEqual(pictureChain({ silence: { minDurationMs: 1, levelDb: -50 } }), []);
  assert.deepEqual(pictureChain({ freeze: { minDurationMs: 1_500, noise: 0.01 }, scene: { threshold: 12 } }), [
    ['freezedetect', 'n=0.01:d=1.5'],
    ['scdet', 'threshold=12'],
  ]);
  const names = soundChain({ silence: { minDurationMs: 1, levelDb: -50 }, loudness: {} }).map(([name]) => name);
  assert.deepEqual(names, ['ebur128', 'silencedetect']);
});

test('black is told when it has lasted, with when it began, and when it is over', () => {
  const reader = new FactReader({ black: { minDurationMs: 1_000, darkness: 0.1, share: 0.98 } });
  assert.deepEqual(reader.read({ 'lavfi.black_start': '2' }, 2_000), []);
  assert.deepEqual(reader.read({}, 2_900), []);
  assert.deepEqual(reader.read({}, 3_000), [{ detector: 'black', phase: 'begun', atMs: 2_000, values: {} }]);
  assert.deepEqual(reader.read({}, 9_000), []);
  assert.deepEqual(reader.read({ 'lavfi.black_end': '9.2' }, 9_200), [
    { detector: 'black', phase: 'over', atMs: 9_200, values: {} },
  ]);
  assert.deepEqual(reader.read({ 'lavfi.black_start': '10' }, 10_000), []);
  assert.deepEqual(reader.read({ 'lavfi.black_end': '10.4' }, 10_400), []);
});

test('loudness outside of its limits is told after a second, and nothing at all is neither loud nor quiet', () => {
  const reader = new FactReader({ loudness: { minLufs: -30, maxLufs: -10 } });
  const at = (lufs: number, nowMs: number) =>
    reader.read({ 'lavfi.r128.M': `${lufs}`, 'lavfi.r128.S': `${lufs}`, 'lavfi.r128.I': '-20' }, nowMs);
  assert.deepEqual(at(-120, 0), []);
  assert.deepEqual(at(-5, 1_000), []);
  assert.deepEqual(at(-5, 2_000), [
    { detector: 'loudness', phase: 'begun', atMs: 1_000, values: { shortTermLufs: -5 } },
  ]);
  assert.equal(reader.levels.shortTermLufs, -5);
  at(-20, 3_000);
  assert.deepEqual(
    at(-20, 4_000).map(({ phase, atMs }) => [phase, atMs]),
    [['over', 3_000]],
  );
});

test('motion is told at once and ends when it has been quiet for long enough', () => {
  const reader = new FactReader({ motion: { minDifference: 3, quietMs: 1_000 } });
  const at = (difference: number, nowMs: number) =>
    reader.read({ 'lavfi.signalstats.YDIF': `${difference}` }, nowMs).map(({ phase, atMs }) => [phase, atMs]);
  assert.deepEqual(at(0, 0), []);
  assert.deepEqual(at(5, 200), [['begun', 200]]);
  assert.deepEqual(at(1, 400), []);
  assert.deepEqual(at(4, 600), []);
  assert.deepEqual(at(0, 800), []);
  assert.deepEqual(at(0, 1_800), [['over', 800]]);
});

test('a latch that is told the same again says nothing', () => {
  const latch = new Latch(0);
  assert.deepEqual(latch.note(true, 1), { phase: 'begun', atMs: 1 });
  assert.equal(latch.note(true, 2), undefined);
  assert.equal(latch.isOn, true);
});
