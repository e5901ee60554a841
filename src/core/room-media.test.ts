import { expect, test } from 'vitest';
import { shareOf, sizeOf } from './room-media.ts';

const source = { width: 1_280, height: 720 };

test.each([
  ['x3/4', { width: 960, height: 540 }],
  ['x1/3', { width: 426, height: 240 }],
  ['r640x360', { width: 640, height: 360 }],
  ['vga', { width: 640, height: 480 }],
  ['hd720p', source],
  ['hd1080p', undefined],
  ['x4/3', undefined],
  ['x1/0', undefined],
  ['r0x0', undefined],
  ['huge', undefined],
])('%s of 1280x720', (resolution, expected) => {
  expect(sizeOf(resolution, source)).toEqual(expected);
});

test.each([
  ['x0.8', 0.8],
  ['x1', 1],
  ['x0', undefined],
  ['x1.5', undefined],
  ['0.8', undefined],
])('%s of a bitrate', (multiplier, expected) => {
  expect(shareOf(multiplier)).toBe(expected);
});
