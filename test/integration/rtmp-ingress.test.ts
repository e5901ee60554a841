// OBS in the room: encoders that push RTMP with a stream key, to what a browser sees and hears, and what happens when
// they are lost.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JobList, NewStreamKeyResource, ParticipantResource, StreamKeyResource } from '#api/contract.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { disorders, obsEncoding, openViewerPage, testInputs, watchAMinute } from '#test/support/test-picture.ts';

let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let room: string;
let rooms = 0;
const encoders: PeerProcess[] = [];

beforeAll(async () => {
  gateway = await startGateway({ ingress: { graceMs: 30_000 } });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
});

beforeEach(async () => {
  rooms += 1;
  room = `push-${rooms}`;
  await gateway.api('POST', '/api/rooms', { name: room });
});

afterEach(async () => {
  await Promise.all(encoders.splice(0).map((encoder) => encoder.stop('SIGKILL')));
  await gateway.api('DELETE', `/api/rooms/${room}`);
  expect(page.errors.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

const makeKey = (options: object = {}) =>
  gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', { room, name: 'OBS', ...options });

function push(url: string, bFrames = 0, more: readonly string[] = []): PeerProcess {
  const encoder = new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(bFrames), ...more, '-f', 'flv', url]);
  encoders.push(encoder);
  return encoder;
}

async function watch(): Promise<string> {
  const token = await gateway.token({ room, user: 'viewer', role: 'viewer' });
  const player = await page.call<{ status: number; handle: string }>('play', {
    url: `${gateway.url}/whep/${room}`,
    token,
  });
  expect(player.status).toBe(201);
  return player.handle;
}

/** Asks until it is so, since nobody tells over HTTP. */
async function eventually<T>(ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (const deadline = performance.now() + 20_000; ; ) {
    const value = await ask();
    if (isSo(value)) return value;
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const jobs = async () => (await gateway.api<JobList>('GET', '/api/jobs')).items;
const participants = async () =>
  (await gateway.api<{ items: ParticipantResource[] }>('GET', `/api/rooms/${room}/participants`)).items;
const pushed = async () => {
  const [found] = (await participants()).filter(({ kind }) => kind === 'ingress');
  return found as NonNullable<typeof found>;
};
/** Sound may be there before the picture has been judged. */
const liveJob = async () => {
  await eventually(pushed, (one) => one?.streams.length === 2);
  const [job] = await eventually(jobs, ([job]) => job?.state === 'live');
  return job as NonNullable<typeof job>;
};

test.each([
  ['as OBS encodes by default, with B-frames, is transcoded', 2, 'transcode'],
  ['without B-frames is forwarded', 0, 'forward'],
])(
  'a stream %s: seen, heard and in step for a minute',
  async (_title, bFrames, action) => {
    const key = await makeKey();
    push(key.url, bFrames);
    const job = await liveJob();
    expect(job.verdicts.find(({ kind }) => kind === 'video')).toMatchObject({ action, from: 'h264', to: 'h264' });
    expect(job.verdicts.find(({ kind }) => kind === 'audio')).toMatchObject({ action: 'transcode', to: 'opus' });
    expect(await pushed()).toMatchObject({ displayName: 'OBS', user: 'OBS', isConnected: true });
    const handle = await watch();
    await page.call('sees', { handle, color: 'green' });
    await page.call('hears', { handle, hz: 440 });
    const { numbers, medianOffsetMs, concealedShare } = await watchAMinute(page, handle);
    expect(Math.abs(medianOffsetMs)).toBeLessThan(60);
    // Two packets in five were thrown away once, for a time stamp that was a tick early.
    expect(concealedShare).toBeLessThan(0.1);
    expect(disorders(numbers)).toBe(0);
    expect(numbers.length).toBeGreaterThan(600);
    const [accounted] = await jobs();
    expect(accounted?.progress?.cpuMs).toBeGreaterThan(0);
    expect(accounted?.progress?.memoryBytes).toBeGreaterThan(0);
    await page.call('leave', { handle });
  },
  120_000,
);

test.each([
  ['HEVC and AAC', 'libx265', 'aac', { from: 'h265', action: 'transcode', to: 'h264' }, { from: 'aac' }],
  [
    'AV1 and Opus',
    'libsvtav1',
    'libopus',
    { from: 'av1', action: 'transcode', to: 'h264' },
    { from: 'opus', action: 'forward' },
  ],
])('enhanced RTMP of FFmpeg 8.1 with %s: seen and heard', async (_title, videoCodec, audioCodec, video, audio) => {
  const key = await makeKey();
  const script = fileURLToPath(new URL('../support/enhanced-encoder.ts', import.meta.url));
  const encoder = new PeerProcess(process.execPath, [script, key.url, videoCodec, audioCodec]);
  encoders.push(encoder);
  const job = await liveJob();
  expect(job.verdicts.find(({ kind }) => kind === 'video')).toMatchObject(video);
  expect(job.verdicts.find(({ kind }) => kind === 'audio')).toMatchObject({ ...audio, to: 'opus' });
  const handle = await watch();
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  await page.call('keepsPlaying', { handle, frameCount: 30 });
  await page.call('leave', { handle });
});

test('a wrong key is refused with the reason, and leaves no trace in the room', async () => {
  const { serverUrl } = await makeKey();
  const encoder = push(`${serverUrl}/thisKeyDoesNotExist000000000`);
  expect(await encoder.exited).not.toBe(0);
  const refused = gateway.log.lines.findLast(({ message }) => message === 'rtmp publisher refused');
  expect(refused?.fields).toMatchObject({ code: 'unauthorized', reason: expect.stringContaining('not known') });
  expect(await participants()).toEqual([]);
  expect(JSON.stringify(gateway.log.lines)).not.toContain('thisKeyDoesNotExist');
});

test('a second publisher with the same key is refused, or takes over where that is wanted', async () => {
  const own = await makeKey();
  push(own.url);
  await liveJob();
  expect(await push(own.url).exited).not.toBe(0);
  await gateway.api('DELETE', `/api/stream-keys/${own.id}`);
  await eventually(participants, (all) => all.length === 0);
  const shared = await makeKey({ onConflict: 'take_over' });
  const first = push(shared.url);
  await liveJob();
  const { id, streams } = await pushed();
  push(shared.url);
  await first.exited;
  await eventually(jobs, ([job]) => job?.state === 'live');
  expect(await pushed()).toMatchObject({ id, streams });
});

test('an encoder that is lost and comes back has its place again: same ids, same connection of the viewer', async () => {
  const key = await makeKey();
  const first = push(key.url);
  await liveJob();
  const handle = await watch();
  await page.call('sees', { handle, color: 'green' });
  const before = await pushed();
  await first.stop('SIGKILL');
  await eventually(pushed, ({ isConnected }) => !isConnected);
  const away = await gateway.api<StreamKeyResource>('GET', `/api/stream-keys/${key.id}`);
  expect(away).toMatchObject({ isLive: false, participantId: before.id });
  push(key.url);
  await eventually(pushed, ({ isConnected }) => isConnected);
  expect(await pushed()).toMatchObject({ id: before.id, streams: before.streams });
  await page.call('keepsPlaying', { handle, frameCount: 30 });
  await page.call('hears', { handle, hz: 440 });
  expect(await page.call('state', { handle })).toBe('connected');
  const lines = gateway.log.lines;
  const accepted = lines.findLastIndex(({ message }) => message === 'rtmp publisher accepted');
  expect(lines.slice(accepted).some(({ message }) => message === 'participant joined')).toBe(false);
  await page.call('leave', { handle });
});

test.each([
  ['forwarded', 0],
  ['transcoded', 2],
])(
  'a source of a %s stream is away for 20 s: its place and last picture stay, for who joins too, and it is back within 2 s',
  async (_what, bFrames) => {
    const key = await makeKey();
    // Nothing held back for a look ahead, which would be counted as ours.
    const more = ['-x264-params', 'rc-lookahead=0:sync-lookahead=0:sliced-threads=1'];
    const first = push(key.url, bFrames, more);
    await liveJob();
    const handle = await watch();
    await page.call('sees', { handle, color: 'green' });
    const before = await pushed();
    await first.stop('SIGKILL');
    const backAtMs = performance.now() + 20_000;
    await eventually(pushed, ({ isConnected }) => !isConnected);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const late = await watch();
    await page.call('sees', { handle: late, color: 'green' });
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, backAtMs - performance.now())));
    await page.call('sees', { handle, color: 'green' });
    const [seen, seenLate] = await Promise.all(
      [handle, late].map((one) => page.call<number>('frames', { handle: one })),
    );
    const accepted = () => gateway.log.lines.filter(({ message }) => message === 'rtmp publisher accepted').length;
    const acceptedBefore = accepted();
    push(key.url, bFrames, more);
    await eventually(
      async () => accepted(),
      (count) => count > acceptedBefore,
    );
    const acceptedAt = performance.now();
    await eventually(
      () => page.call<number>('frames', { handle }),
      (count) => count > (seen ?? 0),
    );
    const gapMs = performance.now() - acceptedAt;
    console.log(`picture back ${Math.round(gapMs)} ms after the publisher`);
    expect(gapMs).toBeLessThan(2_000);
    await eventually(
      () => page.call<number>('frames', { handle: late }),
      (count) => count > (seenLate ?? 0) + 10,
    );
    expect(await pushed()).toMatchObject({ id: before.id, streams: before.streams });
    for (const one of [handle, late]) {
      expect(await page.call('state', { handle: one })).toBe('connected');
      await page.call('leave', { handle: one });
    }
  },
  90_000,
);

test('a media worker that is killed is replaced, and the viewer goes on', async () => {
  const key = await makeKey();
  push(key.url);
  const job = await liveJob();
  const handle = await watch();
  await page.call('keepsPlaying', { handle });
  const before = await pushed();
  process.kill(job.workerPid ?? 0, 'SIGKILL');
  const killedAt = performance.now();
  const again = await eventually(
    () => gateway.api<JobList['items'][number]>('GET', `/api/jobs/${job.id}`),
    ({ state, restarts }) => state === 'live' && restarts === 1,
  );
  const gapMs = performance.now() - killedAt;
  console.log(`live again ${Math.round(gapMs)} ms after the kill`);
  expect(gapMs).toBeLessThan(2_000);
  expect(again.workerPid).not.toBe(job.workerPid);
  await page.call('keepsPlaying', { handle, frameCount: 30 });
  expect(await pushed()).toMatchObject({ id: before.id, streams: before.streams });
  await page.call('leave', { handle });
});

test('a room that loses its SFU worker gets the stream again, under the same ids', async () => {
  const key = await makeKey();
  push(key.url);
  const job = await liveJob();
  const before = await pushed();
  const [worker] = await gateway.app.sfu.describeWorkers();
  process.kill(worker?.pid ?? 0, 'SIGKILL');
  await eventually(
    () => gateway.api<JobList['items'][number]>('GET', `/api/jobs/${job.id}`),
    ({ since, state }) => state === 'live' && since !== job.since,
  );
  const after = await eventually(pushed, ({ streams }) => streams.length === 2);
  expect({ ...after, streams: [...after.streams].sort() }).toMatchObject({
    id: before.id,
    streams: [...before.streams].sort(),
  });
  const handle = await watch();
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  await page.call('leave', { handle });
});

test('a publisher whose participant is removed is sent away', async () => {
  const key = await makeKey();
  const encoder = push(key.url);
  await liveJob();
  await gateway.api('DELETE', `/api/rooms/${room}/participants/${(await pushed()).id}`);
  expect(await encoder.exited).not.toBe(0);
  expect(await jobs()).toEqual([]);
});

test('thirty streams that come and go leave nothing behind', async () => {
  const keys = await Promise.all([makeKey(), makeKey(), makeKey()]);
  const handles = () => readdirSync('/proc/self/fd').length;
  const cycle = async () => {
    const running = keys.map(({ url }) => push(url));
    await eventually(jobs, (all) => all.length === 3 && all.every(({ state }) => state === 'live'));
    for (const encoder of running) encoder.child.kill('SIGINT');
    await Promise.all(running.map(({ exited }) => exited));
    await eventually(participants, (all) => all.length === 0);
  };
  const workers = async () =>
    Promise.all(
      [...gateway.app.media.describeWorkers(), ...(await gateway.app.sfu.describeWorkers())].map(({ pid }) => ({
        pid,
        handles: readdirSync(`/proc/${pid}/fd`).length,
      })),
    );
  await cycle();
  const before = { own: handles(), workers: await workers() };
  for (let n = 1; n < 10; n++) await cycle();
  expect(await workers()).toEqual(before.workers);
  // A socket of the test's own HTTP client may come or go.
  expect(Math.abs(handles() - before.own)).toBeLessThan(6);
  expect(await jobs()).toEqual([]);
});
