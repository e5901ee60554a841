import { randomFillSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { Picture } from './picture.ts';
import { VideoEncoder } from './video-encoder.ts';

const size = { width: 320, height: 180 };
const framerateHz = 30;

/** Waves that go to the right, with grain: as much as any bitrate takes. */
function drawWaves(picture: Picture, n: number, grain: Buffer): void {
  randomFillSync(grain);
  const [luma, ...chroma] = picture.planes;
  for (let y = 0; y < size.height; y++) {
    const row = y * (picture.strides[0] ?? 0);
    for (let x = 0; x < size.width; x++) {
      const wave = 60 * Math.sin((x - n * 4) / 20) + 40 * Math.cos(y / 15);
      if (luma) luma[row + x] = 128 + wave + (((grain[y * size.width + x] ?? 0) - 128) >> 3);
    }
  }
  for (const plane of chroma) plane.fill(128);
}

test.each(['vp8', 'vp9'] as const)(
  '%s spends in no second much more than what was asked for, the first one included',
  (codec) => {
    const bitrateBps = 300_000;
    using encoder = new VideoEncoder({ codec, ...size, framerateHz, bitrateBps });
    using picture = Picture.blank(size.width, size.height);
    const grain = Buffer.alloc(size.width * size.height);
    const spent = [0, 0, 0, 0];
    for (let n = 0; n < spent.length * framerateHz; n++) {
      drawWaves(picture, n, grain);
      encoder.encode(picture, (n * 1e6) / framerateHz, ({ data }) => {
        const second = Math.floor(n / framerateHz);
        spent[second] = (spent[second] ?? 0) + data.length * 8;
      });
    }
    expect(Math.max(...spent) / bitrateBps).toBeLessThan(1.3);
    expect(Math.min(...spent) / bitrateBps).toBeGreaterThan(0.7);
  },
);
