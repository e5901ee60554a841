import { expect, test } from 'vitest';
import { GatewayError } from './errors.ts';
import { changeView, commonView, encoderRequestFor } from './view-settings.ts';

test.each([
  ['the view itself', {}, { codec: 'vp8', width: 1_280, height: 720, framerateHz: 30, bitrateBps: 1_920_000 }],
  ['half the size', { width: 640 }, { width: 640, height: 360, bitrateBps: 640_320 }],
  ['H264', { codec: 'h264' as const }, { codec: 'h264', bitrateBps: 1_600_000 }],
  ['more pictures than there are', { framerateHz: 60 }, { framerateHz: 30 }],
  ['half the pictures', { framerateHz: 15 }, { framerateHz: 15, bitrateBps: 960_000 }],
  ['its own bitrate', { bitrateBps: 300_000 }, { bitrateBps: 300_000 }],
])('who asks for %s gets it', (_title, wish, expected) => {
  expect(encoderRequestFor(commonView, wish)).toMatchObject(expected);
});

test.each([
  ['an odd size', { width: 333, height: 111 }],
  ['a giant', { width: 8_000, height: 8_000 }],
  ['no pictures', { framerateHz: 0 }],
])('%s is refused', (_title, wish) => {
  expect(() => encoderRequestFor(commonView, wish)).toThrow(GatewayError);
});

test('a change leaves what it does not name', () => {
  const changed = changeView(commonView, { layout: { base: 'lecture' }, hasLabels: false, maxInputs: undefined });
  expect(changed.look).toEqual({
    ...commonView.look,
    hasLabels: false,
    layout: { ...commonView.look.layout, base: 'lecture' },
  });
});

test.each([
  ['a colour by name', { backgroundColor: 'red' }],
  ['no inputs', { maxInputs: 0 }],
  ['an image that is none', { backgroundImage: Buffer.from('GIF89a') }],
  ['void without templates', { layout: { base: 'void' as const } }],
])('%s is no change', (_title, change) => {
  expect(() => changeView(commonView, change)).toThrow(GatewayError);
});

test('a background image goes with null', () => {
  const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0]);
  const withImage = changeView(commonView, { backgroundImage: png });
  expect(changeView(withImage, { hasLabels: true }).look.backgroundImage).toBe(png);
  expect(changeView(withImage, { backgroundImage: null }).look.backgroundImage).toBeUndefined();
});
