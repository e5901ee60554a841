import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AV_PIX_FMT_YUVJ420P } from 'node-av/constants';
import { expect, test } from 'vitest';
import { type AudioCodec, audioCodecs, type VideoCodec } from '#core/media-source.ts';
import { AudioDecoder } from './audio-decoder.ts';
import { OpusEncoder } from './audio-encoder.ts';
import { AvError } from './library.ts';
import { Picture } from './picture.ts';
import { Scaler } from './scaler.ts';
import { measureFrequency, numberedPicture, readNumber, tone } from './test-signals.ts';
import { VideoDecoder } from './video-decoder.ts';
import { type EncodedUnit, VideoEncoder } from './video-encoder.ts';
import type { Box } from './video-hint.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const size = { width: 320, height: 180 };

function encodeNumbers(codec: 'h264' | 'vp8', count: number): EncodedUnit[] {
  using encoder = new VideoEncoder({ codec, ...size, framerateHz: 30, bitrateBps: 800_000 });
  const units: EncodedUnit[] = [];
  for (let n = 0; n < count; n++) {
    using picture = numberedPicture(size.width, size.height, n);
    encoder.encode(picture, n * 33_333, (unit) => units.push(unit));
  }
  return units;
}

test.each(['h264', 'vp8'] as const)('%s: every picture comes back with its number and its time', (codec) => {
  const units = encodeNumbers(codec, 40);
  expect(units.filter((unit) => unit.isKey)).toHaveLength(1);
  using decoder = new VideoDecoder({ codec });
  const seen: [number, number][] = [];
  for (const unit of units) {
    expect(decoder.decode(unit.data, unit.ptsUs, (picture, ptsUs) => seen.push([readNumber(picture), ptsUs]))).toBe(
      true,
    );
  }
  decoder.flush((picture, ptsUs) => seen.push([readNumber(picture), ptsUs]));
  expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => [n, n * 33_333]));
});

test.each(['h264', 'vp8'] as const)('%s: a key frame comes with the picture after it was asked for', (codec) => {
  using encoder = new VideoEncoder({ codec, ...size, framerateHz: 30, bitrateBps: 800_000 });
  const keys: number[] = [];
  for (let n = 0; n < 20; n++) {
    if (n === 7) encoder.requestKeyFrame();
    using picture = numberedPicture(size.width, size.height, n);
    encoder.encode(picture, n * 33_333, (unit) => unit.isKey && keys.push(n));
  }
  expect(keys).toEqual([0, 7]);
});

test('x264 passes over what is said to be unchanged, until a key frame shows all of it', () => {
  const below = { x: 0, y: size.height >> 2, width: size.width, height: size.height - (size.height >> 2) };
  const numbersSeen = (changed: readonly Box[] | undefined) => {
    using encoder = new VideoEncoder({
      ...{ codec: 'h264', preset: 'ultrafast', ...size, framerateHz: 30, bitrateBps: 50_000 },
    });
    using decoder = new VideoDecoder({ codec: 'h264' });
    const seen: number[] = [];
    for (let n = 0; n < 3; n++) {
      if (n === 2) encoder.requestKeyFrame();
      using picture = numberedPicture(size.width, size.height, n);
      const show = ({ data, ptsUs }: EncodedUnit) =>
        decoder.decode(data, ptsUs, (shown) => seen.push(readNumber(shown)));
      encoder.encode(picture, n * 33_333, show, changed);
    }
    return seen;
  };
  expect(numbersSeen([below])).toEqual([0, 0, 2]);
  expect(numbersSeen(undefined)).toEqual([0, 1, 2]);
});

test('a bitrate change is followed without a gap', () => {
  for (const codec of ['h264', 'vp8'] as const) {
    using encoder = new VideoEncoder({ codec, ...size, framerateHz: 30, bitrateBps: 800_000 });
    let count = 0;
    for (let n = 0; n < 10; n++) {
      if (n === 5) encoder.setBitrate(300_000);
      using picture = numberedPicture(size.width, size.height, n);
      encoder.encode(picture, n * 33_333, () => {
        count += 1;
      });
    }
    expect(count).toBe(10);
  }
});

test('a picture of another size is refused before libvpx reads past its end', () => {
  using encoder = new VideoEncoder({ codec: 'vp8', width: 1280, height: 720, framerateHz: 30, bitrateBps: 800_000 });
  using picture = Picture.blank(320, 180);
  expect(() => encoder.encode(picture, 0, () => undefined)).toThrow(AvError);
});

test.each([
  [0, 180],
  [321, 180],
  [100_000, 2],
  [Number.NaN, 180],
])('no encoder for %d x %d', (width, height) => {
  expect(() => new VideoEncoder({ codec: 'h264', width, height, framerateHz: 30, bitrateBps: 1 })).toThrow(AvError);
});

test('the scaler brings any size to one, and numbers stay readable', () => {
  using scaler = new Scaler(426, 240);
  for (const [width, height] of [
    [640, 360],
    [162, 90],
    [1280, 720],
    [426, 240],
  ] as const) {
    using picture = numberedPicture(width, height, 0b1011_0010);
    scaler.scale(picture, (scaled) => {
      expect([scaled.width, scaled.height, readNumber(scaled)]).toEqual([426, 240, 0b1011_0010]);
    });
  }
});

test('of pictures that come together the last is told to be that', () => {
  using decoder = new VideoDecoder({ codec: 'h264', hasLowDelay: false, threads: 4 });
  const seen: [number, boolean][] = [];
  const note = (picture: Picture, _ptsUs: number, isLast: boolean) => seen.push([readNumber(picture), isLast]);
  // Each thread has one of them before the first comes out.
  for (const { data, ptsUs } of encodeNumbers('h264', 5)) decoder.decode(data, ptsUs, note);
  decoder.flush(note);
  const isLast = [true, true, false, false, true];
  expect(seen).toEqual(isLast.map((is, n) => [n, is]));
});

test('a lent picture is void after the call; a kept one lives on after its decoder', () => {
  const [unit] = encodeNumbers('h264', 1);
  let lent: Picture | undefined;
  let kept: Picture | undefined;
  {
    using decoder = new VideoDecoder({ codec: 'h264' });
    const hold = (picture: Picture) => {
      lent = picture;
      kept = picture.keep();
    };
    decoder.decode(unit?.data ?? Buffer.alloc(0), 0, hold);
    decoder.flush(hold);
  }
  collectGarbage();
  expect(() => lent?.planes).toThrow(AvError);
  expect(kept && readNumber(kept)).toBe(0);
  kept?.[Symbol.dispose]();
  expect(() => kept?.planes).toThrow(AvError);
});

test('a codec refuses use after its end and from within its own callback, and closes twice', () => {
  const [unit] = encodeNumbers('vp8', 1);
  const data = unit?.data ?? Buffer.alloc(0);
  const decoder = new VideoDecoder({ codec: 'vp8' });
  let inner: unknown;
  decoder.decode(data, 0, () => {
    try {
      decoder.decode(data, 1, () => undefined);
    } catch (error) {
      inner = error;
    }
  });
  expect(inner).toBeInstanceOf(AvError);
  decoder[Symbol.dispose]();
  decoder[Symbol.dispose]();
  expect(() => decoder.decode(data, 0, () => undefined)).toThrow(AvError);
});

test('an empty unit does not end a decoder', () => {
  const units = encodeNumbers('h264', 3);
  using decoder = new VideoDecoder({ codec: 'h264' });
  let count = 0;
  for (const unit of units) {
    expect(decoder.decode(Buffer.alloc(0), 0, () => undefined)).toBe(false);
    decoder.decode(unit.data, unit.ptsUs, () => {
      count += 1;
    });
  }
  decoder.flush(() => {
    count += 1;
  });
  expect(count).toBe(3);
});

test.each([
  [48_000, 2],
  [44_100, 2],
  [8_000, 1],
] as const)('a tone at %i Hz, %i channels, survives Opus in frames of 20 ms', (sampleRateHz, channels) => {
  using encoder = new OpusEncoder({ channels: 2, bitrateBps: 64_000 });
  // G.711 and L16 have decoders that resample: L16 stands for any codec here.
  using pcm = new AudioDecoder({ codec: 'l16', sampleRateHz, channels, output: encoder.shape });
  using decoder = new AudioDecoder({ codec: 'opus', output: { sampleRateHz: 48_000, channels: 1 } });
  const times: number[] = [];
  const heard: number[] = [];
  for (let n = 0; n < 100; n++) {
    const samples = Math.round(sampleRateHz / 50) + (n % 3) - 1;
    const block = tone({
      frequencyHz: 440,
      sampleRateHz,
      channels,
      samples,
      firstSample: Math.round((n * sampleRateHz) / 50),
    });
    const bytes = Buffer.from(block.buffer).swap16();
    pcm.decode(bytes, n * 20_000, (converted, ptsUs) => {
      encoder.push(converted, ptsUs, (data, framePtsUs) => {
        times.push(framePtsUs);
        decoder.decode(data, framePtsUs, (out) => heard.push(...out));
      });
    });
  }
  expect(heard.length).toBeGreaterThan(95 * 960);
  expect(Math.abs(measureFrequency(Int16Array.from(heard), 1, 48_000) - 440)).toBeLessThan(15);
  const steps = times.slice(1).map((ptsUs, index) => ptsUs - (times[index] ?? 0));
  // Exactly: a jitter buffer throws away what begins a tick before the end of the last.
  expect(new Set(steps.map((step) => Math.round(step * 1_000)))).toEqual(new Set([20_000_000]));
});

test('a clock that runs a little differently is followed without a gap, and an overlap is cut off', () => {
  using encoder = new OpusEncoder({ channels: 2, bitrateBps: 64_000 });
  const block = tone({ frequencyHz: 440, sampleRateHz: 48_000, channels: 2, samples: 1_024 });
  const times: number[] = [];
  const push = (ptsUs: number) => encoder.push(block, ptsUs, (_data, at) => times.push(at));
  const realUs = (1_024 / 48) * 1_000;
  // 500 ppm fast: 10 ms after 20 s.
  for (let n = 0; n < 940; n++) push(n * realUs * 1.0005);
  const steps = () => times.slice(1).map((at, index) => Math.round(at - (times[index] ?? 0)));
  expect(new Set(steps())).toEqual(new Set([20_000]));
  expect(Math.abs((times.at(-1) ?? 0) - 940 * realUs * 1.0005)).toBeLessThan(45_000);
  const before = times.length;
  // 100 ms come again.
  for (let n = 935; n < 946; n++) push(n * realUs * 1.0005);
  expect(new Set(steps())).toEqual(new Set([20_000]));
  expect(times.length - before).toBeLessThan(8);
});

test('an overlap of more than one block is cut off to the end, and sound is where it belongs', () => {
  using encoder = new OpusEncoder({ channels: 1, bitrateBps: 32_000 });
  const block = tone({ frequencyHz: 440, sampleRateHz: 48_000, channels: 1, samples: 960 });
  const times: number[] = [];
  const push = (ptsUs: number) => encoder.push(block, ptsUs, (_data, at) => times.push(at));
  for (let n = 0; n < 10; n++) push(n * 20_000);
  const before = times.length;
  // Set back by two blocks: two come again.
  for (let n = 10; n < 20; n++) push((n - 2) * 20_000);
  expect(times.length - before).toBe(8);
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBe(17 * 20_000);
});

test('a jump of the time stamps begins anew instead of shifting all that follows', () => {
  using encoder = new OpusEncoder({ channels: 1, bitrateBps: 32_000 });
  const times: number[] = [];
  const block = tone({ frequencyHz: 440, sampleRateHz: 48_000, channels: 1, samples: 960 });
  for (const ptsUs of [0, 20_000, 5_000_000, 5_020_000]) encoder.push(block, ptsUs, (_data, at) => times.push(at));
  expect(times.map((at) => at - (times[0] ?? 0))).toEqual([0, 20_000, 5_000_000, 5_020_000]);
});

const videoCodecsFuzzed: readonly VideoCodec[] = ['h264', 'h265', 'vp8', 'vp9', 'av1', 'mpeg4', 'mjpeg', 'h263', 'vp6'];

test.each(videoCodecsFuzzed)('%s: garbage and damaged units are survived', (codec) => {
  const valid = codec === 'vp8' || codec === 'h264' ? encodeNumbers(codec, 8) : [];
  using decoder = new VideoDecoder({ codec });
  using scaler = new Scaler(64, 64);
  const look = (picture: Picture) => scaler.scale(picture, () => undefined);
  const endMs = performance.now() + 250;
  for (let round = 0; performance.now() < endMs; round++) {
    const unit = valid[round % Math.max(1, valid.length)]?.data ?? randomBytes(1 + (round % 700));
    const damaged = Buffer.from(unit);
    for (let i = 0; i < 3; i++) damaged[Math.floor(Math.random() * damaged.length)] = Math.random() * 256;
    decoder.decode(damaged.subarray(0, 1 + Math.floor(Math.random() * damaged.length)), round, look);
  }
  decoder.flush(look);
});

function garbageDecoder(codec: AudioCodec): AudioDecoder {
  return new AudioDecoder({
    codec,
    sampleRateHz: 16_000,
    channels: 1,
    bitsPerSample: 4,
    ...(codec === 'aac' ? { config: Buffer.from([0x12, 0x10]) } : {}),
    output: { sampleRateHz: 48_000, channels: 2 },
  });
}

test('vorbis is refused without the headers that hold its code books', () => {
  expect(() => garbageDecoder('vorbis')).toThrow(AvError);
});

test.each(audioCodecs.filter((codec) => codec !== 'vorbis'))('%s: garbage is survived', (codec) => {
  using decoder = garbageDecoder(codec);
  const endMs = performance.now() + 120;
  for (let round = 0; performance.now() < endMs; round++) {
    decoder.decode(randomBytes(1 + (round % 400)), round * 1_000, () => undefined);
  }
});

test('decoders take nonsense as configuration or refuse it with an AvError', () => {
  for (let round = 0; round < 60; round++) {
    const config = randomBytes(1 + round * 3);
    for (const codec of ['h264', 'h265', 'mpeg4', 'av1'] as const) {
      try {
        using decoder = new VideoDecoder({ codec, config });
        decoder.decode(randomBytes(100), 0, () => undefined);
      } catch (error) {
        expect(error).toBeInstanceOf(AvError);
      }
    }
    try {
      using decoder = new AudioDecoder({ codec: 'aac', config, output: { sampleRateHz: 48_000, channels: 2 } });
      decoder.decode(randomBytes(100), 0, () => undefined);
    } catch (error) {
      expect(error).toBeInstanceOf(AvError);
    }
  }
});

test('codecs made and dropped by the hundred survive garbage collection and leave no memory', async () => {
  const units = encodeNumbers('h264', 4);
  const churn = async (rounds: number, isDisposed: (round: number) => boolean): Promise<number> => {
    for (let round = 0; round < rounds; round++) {
      const encoder = new VideoEncoder({ codec: 'h264', width: 160, height: 96, framerateHz: 30, bitrateBps: 200_000 });
      using picture = numberedPicture(160, 96, round & 255);
      encoder.encode(picture, 0, () => undefined);
      const decoder = new VideoDecoder({ codec: 'h264' });
      for (const unit of units) decoder.decode(unit.data, unit.ptsUs, () => undefined);
      const opus = new OpusEncoder({ channels: 2, bitrateBps: 32_000 });
      opus.push(new Int16Array(1_920), 0, () => undefined);
      if (isDisposed(round)) for (const owner of [encoder, decoder, opus]) owner[Symbol.dispose]();
      if (round % 10 !== 0) continue;
      collectGarbage();
      // Native finalizers run between turns of the event loop.
      await setImmediate();
    }
    collectGarbage();
    await setImmediate();
    return process.memoryUsage().rss;
  };
  // Half of them are left to the collector first, as after an exception in between.
  await churn(60, (round) => round % 2 === 0);
  const before = await churn(60, () => true);
  expect((await churn(120, () => true)) - before).toBeLessThan(48 * 1024 * 1024);
});

test.each([64, 32])(
  'pictures of full range, as of JPEG, get the usual one: white and black stay what they are (%i lines)',
  (side) => {
    using scaler = new Scaler(side, side);
    for (const [full, usual] of [
      [0, 16],
      [255, 235],
    ] as const) {
      using picture = Picture.blank(64, 64, AV_PIX_FMT_YUVJ420P);
      picture.planes[0]?.fill(full);
      for (const plane of picture.planes.slice(1)) plane.fill(128);
      scaler.scale(picture, ({ planes, strides }) => {
        const centre = planes[0]?.[(strides[0] ?? 0) * (side / 2) + side / 2] ?? -100;
        expect(Math.abs(centre - usual)).toBeLessThanOrEqual(1);
      });
    }
  },
);
