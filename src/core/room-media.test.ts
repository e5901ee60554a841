import { expect, test } from 'vitest';
import { assertGivesAudio, phoneCodecsIn, shareOf, sizeOf, usualMedia } from './room-media.ts';

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

const gives = (...audio: ('opus' | 'pcmu' | 'aac')[]) => ({ mediaOut: { ...usualMedia.mediaOut, audio } });
const untouched = { transcoding: { ...usualMedia.transcoding, audio: false } };

test('sound leaves a room in the codecs that it gives, and as it came where nothing may be made of it', () => {
  for (const media of [{}, gives('aac'), { mediaOut: { video: usualMedia.mediaOut.video } }]) {
    expect(() => assertGivesAudio(media, 'aac')).not.toThrow();
  }
  for (const media of [gives('opus'), untouched, { ...untouched, ...gives('aac') }]) {
    expect(() => assertGivesAudio(media, 'aac')).toThrow(/gives no aac; .*(opus|not given)/);
  }
});

test('a phone speaks what a room both takes and gives', () => {
  const phone = ['opus', 'g722', 'pcmu'] as const;
  expect(phoneCodecsIn({}, phone)).toEqual(phone);
  expect(phoneCodecsIn(untouched, phone)).toEqual(['opus']);
  const taken = { mediaIn: { ...usualMedia.mediaIn, audio: ['pcmu', 'g722'] as const } };
  expect(phoneCodecsIn({ ...taken, ...gives('opus', 'pcmu') }, phone)).toEqual(['pcmu']);
  expect(() => phoneCodecsIn({ ...taken, ...untouched }, phone)).toThrow(
    expect.objectContaining({ code: 'no_common_codec' }),
  );
});
