import { expect, test } from 'vitest';
import { defaultBitrateBps } from '#core/default-bitrate.ts';
import type { IngressJobSpec } from '#core/job.ts';
import type { SourceStream } from '#core/media-source.ts';
import { type BitstreamFacts, judge } from './verdict.ts';

const spec: IngressJobSpec = {
  kind: 'ingress',
  source: { via: 'fed' },
  audio: 'auto',
  video: 'auto',
  videoCodec: 'auto',
  stallTimeoutMs: 3_000,
};
const rtmpVideo: SourceStream = {
  id: 0,
  kind: 'video',
  codec: 'h264',
  framing: { kind: 'length_prefixed', lengthSize: 4 },
};
const rtmpAudio: SourceStream = { id: 1, kind: 'audio', codec: 'aac', framing: { kind: 'bare' } };
const rtp = { kind: 'rtp' } as const;
const high: BitstreamFacts = { profileIdc: 100, chromaFormat: 1, bitDepth: 8, hasBFrames: false };

test.each<[string, Partial<SourceStream>, BitstreamFacts, string, string | undefined]>([
  ['H264 High without B-frames', {}, high, 'forward', 'h264'],
  ['H264 of which nothing is known yet', {}, {}, 'forward', 'h264'],
  ['H264 with B-frames', {}, { ...high, hasBFrames: true }, 'transcode', 'h264'],
  ['H264 4:2:2', {}, { ...high, profileIdc: 122, chromaFormat: 2 }, 'transcode', 'h264'],
  ['H264 10 bit', {}, { ...high, profileIdc: 110, bitDepth: 10 }, 'transcode', 'h264'],
  ['interlaced H264', {}, { ...high, isInterlaced: true }, 'transcode', 'h264'],
  ['HEVC', { codec: 'h265' }, {}, 'transcode', 'h264'],
  ['AV1 in access units', { codec: 'av1' }, {}, 'transcode', 'h264'],
  ['AV1 in RTP', { codec: 'av1', framing: rtp }, {}, 'transcode', 'h264'],
  ['VP9 in RTP', { codec: 'vp9', framing: rtp }, {}, 'forward', 'vp9'],
  ['MJPEG', { codec: 'mjpeg', framing: rtp }, {}, 'transcode', 'h264'],
])('%s', (_title, stream, facts, action, to) => {
  const verdict = judge({ ...rtmpVideo, ...stream }, facts, spec);
  expect(verdict).toMatchObject({ action, to });
  expect(verdict.reasons[0]).toBeTruthy();
});

test.each<[string, Partial<SourceStream>, string, string | undefined]>([
  ['AAC', {}, 'transcode', 'opus'],
  ['Opus', { codec: 'opus' }, 'forward', 'opus'],
  ['PCMA at 8 kHz', { codec: 'pcma', sampleRateHz: 8_000, channels: 1 }, 'forward', 'pcma'],
  ['PCMA at 16 kHz', { codec: 'pcma', sampleRateHz: 16_000, channels: 1 }, 'transcode', 'opus'],
  ['G.726', { codec: 'g726' }, 'transcode', 'opus'],
])('%s', (_title, stream, action, to) => {
  expect(judge({ ...rtmpAudio, ...stream }, {}, spec)).toMatchObject({ action, to });
});

test('a kind that is not wanted is dropped, and a codec that is asked for is made', () => {
  expect(judge(rtmpVideo, {}, { ...spec, video: 'off' })).toMatchObject({ action: 'drop', to: undefined });
  expect(judge(rtmpVideo, high, { ...spec, videoCodec: 'vp8' })).toMatchObject({ action: 'transcode', to: 'vp8' });
});

test('every obstacle is named, the worst first', () => {
  const verdict = judge(rtmpVideo, { ...high, hasBFrames: true, bitDepth: 10, keyFrameIntervalMs: 9_000 }, spec);
  expect(verdict.reasons.map((reason) => reason.split(/[:;]/)[0])).toEqual(['B-frames', '10 bit']);
});

test('a long key frame interval is remarked where it hurts', () => {
  expect(judge(rtmpVideo, { ...high, keyFrameIntervalMs: 9_000 }, spec).reasons.join()).toContain('every 9.0 s');
});

test.each([
  [176, 144, 30, 132_000],
  [1280, 720, 30, 2_000_000],
  [1920, 1080, 30, 4_000_000],
  [3840, 2160, 30, 16_000_000],
  [1280, 720, 60, 3_000_000],
  [1280, 720, 15, 1_000_000],
])('%i x %i at %i Hz is given %i bit/s', (width, height, framerateHz, bitrateBps) => {
  expect(defaultBitrateBps(width, height, framerateHz)).toBe(bitrateBps);
});

test('bitrates grow with the picture', () => {
  let last = 0;
  for (let width = 64; width < 5_000; width += 64) {
    const bitrateBps = defaultBitrateBps(width, Math.round((width * 9) / 16), 30);
    expect(bitrateBps).toBeGreaterThanOrEqual(last);
    last = bitrateBps;
  }
});
