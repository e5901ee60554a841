import { expect, test } from 'vitest';
import { plainPng } from '#test/support/png.ts';
import { GatewayError } from './errors.ts';
import type { LayoutTemplate, RegionArea } from './view-layout.ts';
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
  ['an image of nothing but its signature', { backgroundImage: plainPng(2, [1, 2, 3]).subarray(0, 16) }],
  ['an image that a small file blows up', { backgroundImage: plainPng(4_097, [1, 2, 3]) }],
  ['void without templates', { layout: { base: 'void' as const } }],
])('%s is no change', (_title, change) => {
  expect(() => changeView(commonView, change)).toThrow(GatewayError);
});

const templateOf = (regions: number, area: Partial<RegionArea> = {}): LayoutTemplate => ({
  region: Array.from({ length: regions }, (_, at) => {
    return { id: String(at), shape: 'rectangle', area: { left: '0', top: '0', width: '1/3', height: '1', ...area } };
  }),
});

test.each([
  ['left', { left: '1/0' }],
  ['left', { left: '0.33333' }],
  ['top', { top: '-1/3' }],
  ['width', { width: '0' }],
  ['width', { left: '3/4' }],
  ['height', { top: '1/2' }],
])('a region is refused by the name of what is wrong: %s of %j', (side, area) => {
  const custom = [templateOf(1), { region: [...templateOf(2).region, { ...templateOf(1, area).region[0], id: 'x' }] }];
  const change = { layout: { custom: custom as LayoutTemplate[] } };
  const path = `layout.custom.1.region.2.area.${side}`;
  expect(() => changeView(commonView, change)).toThrow(
    expect.objectContaining({ fields: [expect.objectContaining({ path })] }),
  );
});

test('templates hold as many regions as all rooms up to 31 need, and not so many that a record is megabytes', () => {
  const upTo = (inputs: number) => Array.from({ length: inputs }, (_, at) => templateOf(at + 1));
  expect(changeView(commonView, { layout: { custom: upTo(31) } }).look.layout.custom).toHaveLength(31);
  expect(() => changeView(commonView, { layout: { custom: upTo(32) } })).toThrow('512 regions');
});

test('a background image goes with null', () => {
  const png = plainPng(16, [1, 2, 3]);
  const withImage = changeView(commonView, { backgroundImage: png });
  expect(changeView(withImage, { hasLabels: true }).look.backgroundImage).toBe(png);
  expect(changeView(withImage, { backgroundImage: null }).look.backgroundImage).toBeUndefined();
});
