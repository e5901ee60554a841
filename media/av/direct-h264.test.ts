import { describe, expect, test, vi } from 'vitest';
import { h264NalType, splitAnnexB } from '../rtp/h264.ts';
import { DirectH264, type DirectH264Options } from './direct-h264.ts';
import { Picture } from './picture.ts';
import { numberedPicture, readNumber } from './test-signals.ts';
import { VideoDecoder } from './video-decoder.ts';
import { type EncodedUnit, VideoEncoder } from './video-encoder.ts';

const size = { width: 208, height: 116 };
const options = { ...size, framerateHz: 30, bitrateBps: 250_000 };

const isHere = isAvailable();

function isAvailable(): boolean {
  using own = DirectH264.open(options);
  using x264 = DirectH264.open({ ...options, profile: 'main' });
  return own !== undefined && x264 !== undefined;
}

function open(change: Partial<DirectH264Options>): DirectH264 {
  const opened = DirectH264.open({ ...options, ...change });
  if (!opened) throw new Error('there was one a moment ago');
  return opened;
}

/** Something like a camera: a coarse pattern that glides, and noise that is another in each picture. */
function scenery({ width, height }: { width: number; height: number }, index: number): Picture {
  const picture = Picture.blank(width, height);
  let seed = index * 7_919 + 1;
  picture.planes.forEach((plane, at) => {
    const shift = at === 0 ? 0 : 1;
    const stride = picture.strides[at] ?? 0;
    for (let y = 0; y < height >> shift; y++) {
      for (let x = 0; x < width >> shift; x++) {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
        const wave = Math.sin((x + index * 2) / 9) * Math.cos((y + index) / 13);
        plane[y * stride + x] = 120 + Math.round(50 * wave) + ((seed >> 16) % 12);
      }
    }
  });
  return picture;
}

/** Of luma, in dB, on average. */
function likeness(units: readonly EncodedUnit[], pictureAt: (index: number) => Picture): number {
  using decoder = new VideoDecoder({ codec: 'h264' });
  let sum = 0;
  let count = 0;
  for (const { data, ptsUs } of units) {
    decoder.decode(data, ptsUs, (shown) => {
      using original = pictureAt(count++);
      sum += psnr(original, shown);
    });
  }
  expect(count).toBe(units.length);
  return sum / count;
}

function psnr(a: Picture, b: Picture): number {
  const [from, to] = [a.planes[0], b.planes[0]];
  let squares = 0;
  for (let y = 0; y < a.height; y++) {
    for (let x = 0; x < a.width; x++) {
      squares += ((from?.[y * (a.strides[0] ?? 0) + x] ?? 0) - (to?.[y * (b.strides[0] ?? 0) + x] ?? 0)) ** 2;
    }
  }
  return 10 * Math.log10(255 ** 2 / (squares / (a.width * a.height)));
}

test.each([
  ['baseline', 66],
  ['main', 77],
  ['high', 100],
] as const)('%s is what is asked for and what is written down, directly and by FFmpeg', (profile, profileIdc) => {
  // With two threads it is FFmpeg's.
  for (const threads of [1, 2]) {
    using encoder = new VideoEncoder({ ...options, codec: 'h264', preset: 'ultrafast', profile, threads });
    const units: Buffer[] = [];
    for (let n = 0; n < 3; n++) {
      using picture = scenery(size, n);
      encoder.encode(picture, n * 33_333, ({ data }) => units.push(data));
    }
    const [parameters] = splitAnnexB(units[0] ?? Buffer.alloc(0)).filter((nal) => h264NalType(nal) === 7);
    // ITU-T H.264 7.3.2.1.1: profile_idc is the first byte after that of the NAL unit's header.
    expect(parameters?.[1], `${threads} threads`).toBe(profileIdc);
    using decoder = new VideoDecoder({ codec: 'h264' });
    let decoded = 0;
    for (const data of units) decoder.decode(data, 0, () => (decoded += 1));
    expect(decoded).toBe(3);
  }
});

// Of our own, and of x264.
describe.runIf(isHere).each(['baseline', 'main'] as const)('H264 in %s profile', (profile) => {
  test('every picture comes back with its number, and key pictures when they are asked for', () => {
    using encoder = open({ profile });
    using decoder = new VideoDecoder({ codec: 'h264' });
    const seen: number[] = [];
    const keys: number[] = [];
    for (let n = 0; n < 40; n++) {
      using picture = numberedPicture(size.width, size.height, n);
      const unit = encoder.encode(picture, n * 33_333, n === 21, undefined);
      if (unit?.isKey) {
        keys.push(n);
        // Whoever joins with it needs all of them.
        expect(splitAnnexB(unit.data).map(h264NalType)).toEqual(expect.arrayContaining([5, 7, 8]));
      }
      decoder.decode(unit?.data ?? Buffer.alloc(0), n, (shown) => seen.push(readNumber(shown)));
    }
    expect(keys).toEqual([0, 21]);
    expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });

  test('the bitrate is what was asked for, and the pictures are as good as those of FFmpeg', () => {
    const encode = (preset: 'ultrafast' | undefined, threads: number) => {
      using encoder = new VideoEncoder({ codec: 'h264', ...options, profile, preset, threads });
      const units: EncodedUnit[] = [];
      for (let n = 0; n < 90; n++) {
        using picture = scenery(size, n);
        encoder.encode(picture, n * 33_333, (unit) => units.push(unit));
      }
      return units;
    };
    const ours = encode('ultrafast', 1);
    // Two threads are FFmpeg's.
    const theirs = encode('ultrafast', 2);
    const rateOf = (units: readonly EncodedUnit[]) =>
      (units.slice(30).reduce((sum, { data }) => sum + data.length, 0) * 8) / 2 / options.bitrateBps;
    expect(rateOf(ours)).toBeGreaterThan(0.9);
    expect(rateOf(ours)).toBeLessThan(1.1);
    const sceneryAt = (index: number) => scenery(size, index);
    expect(likeness(ours, sceneryAt)).toBeGreaterThan(likeness(theirs, sceneryAt) - 0.5);
  });

  test('what is said to be unchanged is passed over, and what is the same is found to be', () => {
    const bytesOf = (pictureAt: (n: number) => Picture) => {
      using encoder = open({ profile });
      let bytes = 0;
      for (let n = 0; n < 60; n++) {
        using picture = pictureAt(n);
        const { data } = encoder.encode(picture, n * 33_333, false, undefined) ?? { data: Buffer.alloc(0) };
        if (n >= 40) bytes += data.length;
      }
      return bytes;
    };
    // A picture that is shown as well as it can be takes no more bits than it takes to say so.
    expect(bytesOf(() => numberedPicture(size.width, size.height, 5)) / 20).toBeLessThan(60);
    expect(bytesOf((n) => numberedPicture(size.width, size.height, n)) / 20).toBeGreaterThan(200);
  });

  test('slices are as short as phones want them', () => {
    using encoder = open({ profile, sliceMaxBytes: 700 });
    for (let n = 0; n < 5; n++) {
      using picture = scenery(size, n);
      const { data } = encoder.encode(picture, n * 33_333, n === 3, undefined) ?? { data: Buffer.alloc(0) };
      for (const nal of splitAnnexB(data)) expect(nal.length).toBeLessThanOrEqual(700);
    }
  });

  test.each([
    [162, 90],
    [428, 242],
    [16, 16],
  ])('pictures of %d x %d are encoded to their last row', (width, height) => {
    using encoder = open({ profile, width, height, bitrateBps: 4_000_000 });
    const units: EncodedUnit[] = [];
    for (let n = 0; n < 6; n++) {
      using picture = scenery({ width, height }, n);
      const boxes = [{ x: 0, y: 0, width, height }];
      const unit = encoder.encode(picture, n * 33_333, false, n % 2 ? boxes : undefined);
      if (unit) units.push({ ...unit, ptsUs: n });
    }
    expect(likeness(units, (index) => scenery({ width, height }, index))).toBeGreaterThan(28);
  });
});

test('what it has no room for, or cannot be, is none', () => {
  expect(DirectH264.open({ ...options, width: 8 })).toBeUndefined();
  expect(DirectH264.open({ ...options, width: 321 })).toBeUndefined();
  expect(DirectH264.open({ ...options, width: 100_000 })).toBeUndefined();
});

test.runIf(isHere)('one that fails under way is replaced by that of FFmpeg, with a key picture', () => {
  using encoder = new VideoEncoder({ codec: 'h264', preset: 'ultrafast', ...options });
  using decoder = new VideoDecoder({ codec: 'h264' });
  const keys: number[] = [];
  const seen: number[] = [];
  for (let n = 0; n < 10; n++) {
    using picture = numberedPicture(size.width, size.height, n);
    const broken = n === 4 ? vi.spyOn(DirectH264.prototype, 'encode').mockReturnValue(undefined) : undefined;
    encoder.encode(picture, n * 33_333, ({ data, isKey }) => {
      if (isKey) keys.push(n);
      decoder.decode(data, n, (shown) => seen.push(readNumber(shown)));
    });
    broken?.mockRestore();
  }
  expect(keys).toEqual([0, 4]);
  expect(seen).toEqual(Array.from({ length: 10 }, (_, n) => n));
});
