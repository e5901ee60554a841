import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource, SourceEnd } from '#core/media-source.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { encodeFiles } from '#test/support/ffmpeg-clip.ts';
import { pullFile } from './file-pull.ts';
import { filePuller } from './puller.ts';

const noFlv = {
  flv: () => {
    throw new Error('no FLV in this test');
  },
};
const inputs = '-f lavfi -i testsrc2=size=320x240:rate=25 -f lavfi -i sine=frequency=440:sample_rate=48000'.split(' ');
const open: MediaSource[] = [];
let outside: string;
let folder: string;

beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'file-pull-'));
  folder = join(outside, 'media');
  mkdirSync(join(folder, 'show'), { recursive: true });
  const h264 = '-c:v libx264 -preset ultrafast -bf 2 -t 1'.split(' ');
  await encodeFiles(...inputs, ...h264, '-c:a', 'aac', join(folder, 'show', 'clip one.mp4'));
  await encodeFiles(...inputs, ...h264, '-c:a', 'libvorbis', join(folder, 'clip.mkv'));
  await encodeFiles(...inputs, ...h264, '-c:a', 'ac3', join(folder, 'clip.ts'));
  await encodeFiles(...inputs.slice(4), '-t', '1', join(folder, 'tone.wav'));
  await encodeFiles(...inputs.slice(4), '-t', '1', join(folder, 'tone.mp3'));
  await encodeFiles(...inputs, ...h264, '-c:a', 'aac', join(outside, 'secret.mp4'));
  symlinkSync(join(outside, 'secret.mp4'), join(folder, 'link.mp4'));
  symlinkSync(outside, join(folder, 'up'));
  execFileSync('mkfifo', [join(folder, 'pipe.mp4')]);
  writeFileSync(join(folder, 'notes.txt'), 'nothing to see');
});

afterEach(() => {
  for (const source of open.splice(0)) source.close();
});

afterAll(() => rmSync(outside, { recursive: true, force: true }));

function pull(url: string, isLooped = false): { sink: CollectingSink; done: Promise<SourceEnd> } {
  const source = pullFile({ url, folder, isLooped }, noFlv);
  open.push(source);
  const sink = new CollectingSink();
  source.start(sink);
  return { sink, done: source.done };
}

describe('a file of the media folder', () => {
  test.each([
    ['file:///show/clip%20one.mp4', 'h264', 'aac'],
    ['file:///clip.mkv', 'h264', 'vorbis'],
    ['file:///clip.ts', 'h264', 'ac3'],
    ['file:///tone.wav', undefined, 'l16'],
    ['file:///tone.mp3', undefined, 'mp3'],
  ])('%s is played to its end', async (url, video, audio) => {
    const { sink, done } = pull(url);
    expect(await done).toEqual({ reason: 'peer_left', error: undefined, mayReturn: false });
    expect(sink.stream('video')?.codec).toBe(video);
    expect(sink.stream('audio')?.codec).toBe(audio);
    if (video) expect(sink.of('video')).toHaveLength(25);
    expect(sink.of('audio').length).toBeGreaterThan(4);
  });

  test('pictures keep their order of decoding', async () => {
    const { sink, done } = pull('file:///show/clip%20one.mp4');
    await done;
    const units = sink.of('video').flatMap((unit) => (unit.kind === 'access_unit' ? [unit] : []));
    expect(units.some(({ ptsUs, dtsUs }) => ptsUs > dtsUs)).toBe(true);
    expect(units.every(({ ptsUs, dtsUs }) => ptsUs >= dtsUs)).toBe(true);
    expect(units.every(({ dtsUs }, index) => index === 0 || dtsUs >= (units[index - 1]?.dtsUs ?? 0))).toBe(true);
  });

  test('may be named by its whole path', async () => {
    expect(await pull(`file://${folder}/tone.wav`).done).toMatchObject({ reason: 'peer_left', error: undefined });
  });

  test('is played again and again where that is wanted', async () => {
    const { sink } = pull('file:///clip.mkv', true);
    await sink.until(() => sink.of('video').length > 60);
  });
});

test.each([
  ['file:///missing.mp4', 'not_found'],
  ['file:///../secret.mp4', 'not_found'],
  ['file:///show/..%2f..%2fsecret.mp4', 'not_found'],
  ['file:///link.mp4', 'not_found'],
  ['file:///up/secret.mp4', 'not_found'],
  ['file:///etc/passwd', 'not_found'],
  ['file:///pipe.mp4', 'not_found'],
  ['file:///show', 'not_found'],
  ['file:///', 'not_found'],
  ['file:///notes.txt', 'unsupported_media_type'],
])('%s is %s', async (url, code) => {
  expect(await pull(url).done).toMatchObject({ mayReturn: false, error: { code } });
});

test('nothing is played without a media folder, and no other host is asked', () => {
  expect(() => filePuller(undefined).check('file:///clip.ts')).toThrow(GatewayError);
  expect(() => filePuller(folder).check('file://elsewhere/clip.ts')).toThrow(GatewayError);
  expect(() => filePuller(folder).check('file:///clip.ts')).not.toThrow();
});
