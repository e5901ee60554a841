import { expect, test } from 'vitest';
import { spatialLayerFor, spatialLayersOf, videoEncodings } from './encodings.ts';

const camera = { source: 'camera', codec: 'vp8', heightPx: 720, hasSimulcast: true } as const;

test('a camera in VP8 is sent in three sizes, lowest first', () => {
  const encodings = videoEncodings(camera);
  expect(encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual([4, 2, 1]);
  const rates = encodings.map(({ maxBitrate }) => maxBitrate);
  expect(rates).toEqual([...rates].sort((a, b) => a - b));
});

test.each([
  ['vp9', 'L3T3_KEY'],
  ['av1', 'L1T3'],
] as const)('%s carries its layers in one stream', (codec, scalabilityMode) => {
  expect(videoEncodings({ ...camera, codec })).toMatchObject([{ scalabilityMode }]);
});

test('better codecs get fewer bits', () => {
  const [vp8, av1] = (['vp8', 'av1'] as const).map((codec) => videoEncodings({ ...camera, codec }).at(-1)?.maxBitrate);
  expect(av1).toBeLessThan(vp8 ?? 0);
});

test('a screen is sent at full size and at half', () => {
  const encodings = videoEncodings({ ...camera, source: 'screen', heightPx: 1_080 });
  expect(encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual([2, 1]);
});

test('without simulcast there is one encoding', () => {
  for (const codec of ['vp8', 'h264', 'vp9', 'av1'] as const) {
    expect(videoEncodings({ ...camera, codec, hasSimulcast: false })).toHaveLength(1);
  }
});

test.each([
  [3, 100, 720, 0],
  [3, 225, 720, 0],
  [3, 240, 720, 1],
  [3, 450, 720, 1],
  [3, 460, 720, 2],
  [3, 2_000, 720, 2],
  [2, 500, 1_080, 0],
  [2, 900, 1_080, 1],
  [1, 10, 720, 0],
])('%i layers in a tile of %i px below %i px give layer %i', (count, tilePx, fullPx, layer) => {
  expect(spatialLayerFor(count, tilePx, fullPx)).toBe(layer);
});

test.each([
  ['L3T3_KEY', 3],
  ['L1T2', 1],
  ['S2T1', 2],
  [undefined, 1],
  ['nonsense', 1],
])('%s has %i spatial layers', (mode, count) => {
  expect(spatialLayersOf(mode)).toBe(count);
});
