import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { SegmentConnection } from './segment-connection.ts';
import { OriginStore } from './segment-store.ts';
import type { EgressStream } from './sink.ts';

const stream: EgressStream = {
  kind: 'audio',
  codec: 'aac',
  config: Uint8Array.of(0x11, 0x90),
  ...{ sampleRateHz: 48_000, channels: 2 },
};
const frameUs = 20_000;

/** Ten seconds of sound to an origin that takes segments of one second and keeps two of them, and what came of it. */
async function stream10s(refusal: GatewayError | undefined, left: readonly string[] = []) {
  const asked: string[] = [];
  const notices: string[] = [];
  const store = new OriginStore(new URL('http://origin/live/index.m3u8?key=secret'), async (what, url) => {
    asked.push(`${what} ${url.pathname}`);
    if (what === 'delete' && refusal) throw refusal;
  });
  const connection = new SegmentConnection({
    ...{ store, playlist: '/live/index.m3u8', segmentMs: 1_000, segmentCount: 2, left },
    onNotice: (what) => notices.push(what),
  });
  connection.describe([stream]);
  for (let ptsUs = 0; ptsUs < 10_000_000; ptsUs += frameUs) {
    const times = { ptsUs, dtsUs: ptsUs, durationUs: frameUs };
    connection.write({ kind: 'audio', ...times, isKey: true, data: new Uint8Array(8) });
  }
  await expect.poll(() => connection.queuedBytes).toBe(0);
  await new Promise((resolve) => setImmediate(resolve));
  await connection.close();
  return { notices, deleted: asked.filter((line) => line.startsWith('delete ')), end: await connection.done };
}

test('segments that have left the playlist are taken away from the origin', async () => {
  const { notices, deleted, end } = await stream10s(undefined);
  expect(deleted.length).toBeGreaterThanOrEqual(2);
  expect(deleted[0]).toMatch(/^delete \/live\/audio-\d+\.m4s$/);
  expect([notices, end.code]).toEqual([[], 'closed']);
});

test('what a connection before this one left in a folder goes as segments age, and nothing else does', async () => {
  const own = ['audio-1000.mp4', 'audio-999.m4s', 'audio-1001.m4s'];
  const others = [
    'audio.m3u8',
    'audio-x.m4s',
    'audio-99999999999.m4s',
    'video-7.m4s',
    'my-audio-5.m4s',
    '../audio-5.m4s',
  ];
  const { deleted } = await stream10s(undefined, [...own, ...others]);
  const names = deleted.map((line) => line.replace('delete /live/', ''));
  expect(names.slice(0, 3)).toEqual(['audio-999.m4s', 'audio-1000.mp4', 'audio-1001.m4s']);
  expect(names.filter((name) => others.includes(name))).toEqual([]);
});

test('an origin that takes nothing away is asked once, told of once, and streamed to', async () => {
  const { notices, deleted, end } = await stream10s(new GatewayError('upstream_failed', 'origin answered 405.'));
  expect(deleted).toHaveLength(1);
  expect(notices).toEqual(['Old segments are not taken away: origin answered 405.']);
  expect(end.code).toBe('closed');
});

/** In segments of one second, of which as little may wait as 32 kB. */
async function streamHeavy(bytesPerFrame: number, seconds: number) {
  const put: { readonly name: string; readonly bytes: number }[] = [];
  const store = new OriginStore(new URL('http://origin/live/index.m3u8'), async (what, url, { data }) => {
    if (what === 'put') put.push({ name: url.pathname, bytes: data?.byteLength ?? 0 });
  });
  const options = { store, playlist: '/live/index.m3u8', segmentMs: 1_000, segmentCount: 2 };
  const limits = { queued: 32_768, segment: 131_072 };
  const connection = new SegmentConnection({ ...options, limits, onNotice: () => undefined });
  connection.describe([stream]);
  const data = new Uint8Array(bytesPerFrame);
  for (let ptsUs = 0; ptsUs <= seconds * 1e6; ptsUs += frameUs) {
    connection.write({ kind: 'audio', ptsUs, dtsUs: ptsUs, durationUs: frameUs, isKey: true, data });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await connection.close();
  return { segments: put.filter(({ name }) => name.endsWith('.m4s')), end: await connection.done };
}

test('a segment that weighs more than what may wait is put as a whole', async () => {
  const { segments, end } = await streamHeavy(800, 2);
  expect(segments[0]?.bytes).toBeGreaterThan(40_000);
  expect(segments[1]?.bytes).toBeGreaterThan(36_000);
  expect(end.code).toBe('closed');
});

test('one that would fill the memory is refused, with what can be done', async () => {
  const { segments, end } = await streamHeavy(4_000, 1);
  expect(segments).toEqual([]);
  expect(end).toEqual({
    code: 'unsupported_media_type',
    message: expect.stringContaining('a lower segments.durationS'),
  });
});
