import { expect, test } from 'vitest';
import { DropPolicy } from './drop-policy.ts';

const key = { kind: 'video', isKey: true } as const;
const delta = { kind: 'video', isKey: false } as const;
const audio = { kind: 'audio', isKey: true } as const;

test('video waits for its first key frame, sound does not', () => {
  const policy = new DropPolicy(1_000);
  expect([delta, audio, key, delta].map((frame) => policy.admit(frame, 0))).toEqual([false, true, true, true]);
  expect(policy.droppedFrames).toBe(0);
});

test('past the limit video is left out up to a key frame that finds half of the queue free', () => {
  const policy = new DropPolicy(1_000);
  policy.admit(key, 0);
  const asked = [
    [delta, 1_000],
    [delta, 1_001],
    [delta, 900],
    [key, 501],
    [delta, 0],
    [key, 500],
    [delta, 600],
  ] as const;
  expect(asked.map(([frame, queued]) => policy.admit(frame, queued))).toEqual([
    true,
    false,
    false,
    false,
    false,
    true,
    true,
  ]);
  expect(policy.droppedFrames).toBe(4);
});

test('sound goes on until twice the limit', () => {
  const policy = new DropPolicy(1_000);
  policy.admit(key, 0);
  expect([2_000, 2_001].map((queued) => policy.admit(audio, queued))).toEqual([true, false]);
});
