// OBS in the room: encoders that push RTMP with a stream key, to what a browser sees and hears, and what happens when
// they are lost.
import { readdirSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JobList, NewStreamKeyResource, ParticipantResource, StreamKeyResource } from '#api/contract.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { obsEncoding, openViewerPage, testInputs } from '#test/support/test-picture.ts';

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

async function watch(name = room): Promise<string> {
  const token = await gateway.token({ room: name, user: 'viewer', role: 'viewer' });
  const player = await page.call<{ status: number; handle: string }>('play', {
    url: `${gateway.url}/whep/${name}`,
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
const participants = async (name = room) =>
  (await gateway.api<{ items: ParticipantResource[] }>('GET', `/api/rooms/${name}/participants`)).items;
const pushed = async (name = room) => {
  const [found] = (await participants(name)).filter(({ kind }) => kind === 'ingress');
  return found as NonNullable<typeof found>;
};
/** Sound may be there before the picture has been judged. */
const liveJob = async () => {
  await eventually(pushed, (one) => one?.streams.length === 2);
  const [job] = await eventually(jobs, ([job]) => job?.state === 'live');
  return job as NonNullable<typeof job>;
};

test('a wrong key is refused with the reason, and leaves no trace in the room', async () => {
  const { serverUrl } = await makeKey();
  // What was printed at the start names the same server.
  expect(gateway.app.welcome()).toContain(serverUrl);
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
  expect(before).toMatchObject({ displayName: 'OBS', user: 'OBS', isConnected: true });
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

test('sources of a forwarded and of a transcoded stream are away for 20 s: place and last picture stay, for who joins too, and they are back within 2 s', async () => {
  const other = `${room}-transcoded`;
  await gateway.api('POST', '/api/rooms', { name: other });
  // Most of it is waiting, which both do at once.
  await Promise.all([awayAndBack(room, 0), awayAndBack(other, 2)]);
  await gateway.api('DELETE', `/api/rooms/${other}`);
}, 90_000);

async function awayAndBack(name: string, bFrames: number): Promise<void> {
  const key = await makeKey({ room: name });
  // Nothing held back for a look ahead, which would be counted as ours.
  const more = ['-x264-params', 'rc-lookahead=0:sync-lookahead=0:sliced-threads=1'];
  const itsPushed = () => pushed(name);
  const accepted = () =>
    gateway.log.lines.filter(
      ({ message, fields }) => message === 'rtmp publisher accepted' && fields.publisher === key.id,
    ).length;
  const framesOf = (handle: string) => page.call<number>('frames', { handle });
  const first = push(key.url, bFrames, more);
  await eventually(itsPushed, (one) => one?.streams.length === 2);
  const handle = await watch(name);
  await page.call('sees', { handle, color: 'green' });
  const before = await itsPushed();
  await first.stop('SIGKILL');
  const backAtMs = performance.now() + 20_000;
  await eventually(itsPushed, ({ isConnected }) => !isConnected);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const late = await watch(name);
  await page.call('sees', { handle: late, color: 'green' });
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, backAtMs - performance.now())));
  await page.call('sees', { handle, color: 'green' });
  const [seen, seenLate] = await Promise.all([framesOf(handle), framesOf(late)]);
  const acceptedBefore = accepted();
  push(key.url, bFrames, more);
  await eventually(
    async () => accepted(),
    (count) => count > acceptedBefore,
  );
  const acceptedAt = performance.now();
  await eventually(
    () => framesOf(handle),
    (count) => count > seen,
  );
  const gapMs = performance.now() - acceptedAt;
  console.log(`${name}: picture back ${Math.round(gapMs)} ms after the publisher`);
  expect(gapMs).toBeLessThan(2_000);
  await eventually(
    () => framesOf(late),
    (count) => count > seenLate + 10,
  );
  expect(await itsPushed()).toMatchObject({ id: before.id, streams: before.streams });
  for (const one of [handle, late]) {
    expect(await page.call('state', { handle: one })).toBe('connected');
    await page.call('leave', { handle: one });
  }
}

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
