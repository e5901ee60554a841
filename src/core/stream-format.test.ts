import { expect, test } from 'vitest';
import { defaultBitrateBps } from './default-bitrate.ts';
import { GatewayError } from './errors.ts';
import { usualMedia } from './room-media.ts';
import { factsOfView, requestForFormat, type StreamFormat } from './stream-format.ts';
import { commonView, encoderRequestFor } from './view-settings.ts';

const camera = { codec: 'vp8', width: 1_280, height: 720 };

test.each<[string, StreamFormat, object]>([
  ['nothing', {}, { codec: 'vp8', width: 1_280, height: 720, framerateHz: 30, bitrateBps: 2_400_000 }],
  [
    'half the size at 10 a second in H264',
    { codec: 'h264', resolution: 'x1/2', framerate: 10 },
    { codec: 'h264', width: 640, height: 360, framerateHz: 10 },
  ],
  ['0.8 of the bitrate', { bitrate: 'x0.8' }, { bitrateBps: 1_920_000 }],
  ['a bitrate', { bitrate: 500_000 }, { bitrateBps: 500_000 }],
  ['key frames', { keyFrameInterval: 2 }, { keyFrameIntervalS: 2 }],
])('who asks for %s gets it', (_title, format, expected) => {
  expect(requestForFormat(format, camera, {})).toMatchObject(expected);
});

const strict = {
  mediaOut: {
    video: {
      format: ['vp8', 'h264'] as const,
      parameters: { resolution: ['x1/2', 'vga'], framerate: [15], bitrate: ['x0.6'], keyFrameInterval: [2] },
    },
  },
};

test.each<[StreamFormat, string]>([
  [{ codec: 'vp9' }, 'format.codec is one of vp8, h264 in this room'],
  [{ resolution: 'x3/4' }, 'format.resolution is one of x1/2, vga in this room'],
  [{ resolution: 'hd1080p' }, 'at most 1280x720'],
  [{ framerate: 10 }, 'format.framerate is one of 15'],
  [{ bitrate: 'x0.8' }, 'format.bitrate is one of x0.6'],
  [{ keyFrameInterval: 5 }, 'format.keyFrameInterval is one of 2'],
  [{ bitrate: 1 }, 'format.bitrate is a part'],
])('%j is refused in words', (format, message) => {
  expect(() => requestForFormat(format, camera, strict)).toThrow(message);
});

test('a size by another name is the same size', () => {
  expect(requestForFormat({ resolution: 'r640x360' }, camera, strict)).toMatchObject({ width: 640, height: 360 });
});

test('what transcoding is off for cannot be asked for, and the source as it is can', () => {
  const { parameters } = usualMedia.transcoding.video;
  const transcoding = { video: { format: false, parameters: { ...parameters, resolution: false } } };
  expect(() => requestForFormat({ codec: 'h264' }, camera, { transcoding })).toThrow(GatewayError);
  expect(() => requestForFormat({ resolution: 'x1/2' }, camera, { transcoding })).toThrow(/resolution/);
  expect(requestForFormat({ codec: 'vp8', framerate: 5 }, camera, { transcoding }).framerateHz).toBe(5);
});

test.each([
  ['a screen of 5120x1440', { width: 5_120, height: 1_440 }, {}, { width: 4_096, height: 1_152 }],
  ['half of one', { width: 8_192, height: 2_048 }, { resolution: 'x1/2' }, { width: 2_048, height: 512 }],
  ['a portrait of 2000x8000', { width: 2_000, height: 8_000 }, {}, { width: 1_024, height: 4_096 }],
  ['a picture of 2x2', { width: 2, height: 2 }, {}, { width: 16, height: 16 }],
])('%s comes as what can be encoded', (_title, size, format, expected) => {
  expect(requestForFormat(format, { codec: 'vp8', ...size }, {})).toMatchObject(expected);
});

test('what is usual for the least and the most of views is a bitrate that an encoder takes', () => {
  const viewOf = (video: Partial<typeof commonView.video>) => ({
    ...commonView,
    video: { ...commonView.video, ...video },
  });
  const least = viewOf({ width: 16, height: 16, framerateHz: 1, motionFactor: 0.1, codec: 'vp9' });
  const most = viewOf({ bitrateBps: 200_000_000, codec: 'vp9' });
  for (const view of [least, most]) {
    for (const { bitrateBps } of [
      encoderRequestFor(view, {}),
      ...(['vp8', 'h264', 'vp9'] as const).map((codec) => requestForFormat({ codec }, factsOfView(view), {})),
    ]) {
      expect(bitrateBps).toBeGreaterThanOrEqual(10_000);
      expect(bitrateBps).toBeLessThanOrEqual(200_000_000);
    }
  }
});

test('what is not made here is made the first that the room gives', () => {
  expect(requestForFormat({}, { ...camera, codec: 'av1' }, {}).codec).toBe('vp8');
});

test('a view in no format of one’s own is what everybody is shown, and parts of it follow its own bitrate and rate', () => {
  const own = { ...commonView, video: { ...commonView.video, framerateHz: 25, bitrateBps: 1_000_000 } };
  for (const view of [commonView, own]) {
    expect(requestForFormat({}, factsOfView(view), {})).toEqual(encoderRequestFor(view, {}));
  }
  const half = requestForFormat({ resolution: 'x1/2', framerate: 60 }, factsOfView(own), {});
  expect(half).toMatchObject({ width: 640, height: 360, framerateHz: 25, keyFrameIntervalS: 100 });
  // As much less as a picture of that size usually needs less.
  const share = defaultBitrateBps(640, 360, 25) / defaultBitrateBps(1_280, 720, 25);
  expect(half.bitrateBps).toBe(Math.round(1_000_000 * share));
});
