import { expect, test } from 'vitest';
import { viewRequestFor } from './video-fit.ts';
import type { VideoLimits } from './video-leg-media.ts';
import { commonView } from './view-settings.ts';

const mode1 = { codec: 'h264', packetizationMode: 1 } as const;
const level31 = { maxMacroblocks: 3_600, maxMacroblocksPerS: 108_000, maxBitrateBps: 14_000_000 };
const requested = (limits: Partial<VideoLimits>) => viewRequestFor(commonView.video, mode1, { ...level31, ...limits });

test.each([
  ['all of it at level 3.1', {}, { width: 1_280, height: 720, framerateHz: 30 }],
  ['no wider than it says', { maxWidth: 640 }, { width: 640, height: 360 }],
  ['fewer pictures rather than smaller ones', { maxFramerateHz: 10 }, { width: 1_280, framerateHz: 10 }],
  ['less than CIF at level 1.3', { maxMacroblocks: 396, maxMacroblocksPerS: 11_880 }, { width: 320, height: 180 }],
  ['a smaller picture for a thin line', { maxBitrateBps: 128_000 }, { bitrateBps: 128_000 }],
])('a phone gets %s', (_what, limits, expected) => {
  expect(requested(limits)).toMatchObject(expected);
});

test('what a phone gets is never beyond its level, whatever its line takes', () => {
  for (const [maxMacroblocks, maxMacroblocksPerS] of [
    [99, 1_485],
    [396, 3_000],
    [1_620, 20_250],
    [3_600, 108_000],
  ] as const) {
    for (const maxBitrateBps of [64_000, 256_000, 1_000_000, 10_000_000]) {
      const {
        width = 0,
        height = 0,
        framerateHz = 0,
        bitrateBps = 0,
      } = requested({ maxMacroblocks, maxMacroblocksPerS, maxBitrateBps });
      const blocks = Math.ceil(width / 16) * Math.ceil(height / 16);
      expect(blocks).toBeLessThanOrEqual(maxMacroblocks);
      expect(blocks * framerateHz).toBeLessThanOrEqual(maxMacroblocksPerS);
      expect(bitrateBps).toBeLessThanOrEqual(maxBitrateBps);
    }
  }
});

test('one that takes single units alone is given units that fit, by an encoder of its kind', () => {
  expect(viewRequestFor(commonView.video, { codec: 'h264', packetizationMode: 0 }, level31).sliceMaxBytes).toBe(1_180);
  expect(requested({}).sliceMaxBytes).toBeUndefined();
});
