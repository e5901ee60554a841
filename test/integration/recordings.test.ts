// Recordings of rooms through the API: what is in the files, and that they survive pauses, workers and gateways.
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { RecordingResource } from '#api/contract.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { findFlashes, middleColor, packetGapsS, probeFile, pushFlashes } from '#test/support/flash-and-beep.ts';
import { FlashingPage } from '#test/support/flashing-page.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { recordMeeting } from '#test/support/recorded-meeting.ts';

const waitMs = 60_000;
const testMs = 240_000;
let gateway: TestGateway;
let browser: Browser;
let folder: string;
const sources: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-recorded-'));
  const config = { data: folder, media: { workers: 1, maxLoadPercent: 100 } };
  [gateway, browser] = await Promise.all([startGateway(config), launchChromium()]);
  await gateway.api('POST', '/api/rooms', { name: 'daily' });
  await pushInto('daily');
}, 120_000);

afterAll(async () => {
  for (const source of sources) source.kill('SIGKILL');
  await browser?.close();
  await gateway.close();
  await rm(folder, { recursive: true, force: true });
});

async function pushInto(room: string, options?: Parameters<typeof pushFlashes>[1]): Promise<ChildProcess> {
  const made = { room, protocol: 'rtmp', name: `source ${sources.length}` };
  const { url } = await gateway.api<{ url: string }>('POST', '/api/stream-keys', made);
  const count = async () => (await gateway.api<{ items: unknown[] }>('GET', `/api/rooms/${room}/streams`)).items.length;
  const before = await count();
  const source = pushFlashes(url, options);
  sources.push(source);
  await vi.waitFor(async () => expect(await count()).toBe(before + 2), { timeout: waitMs, interval: 200 });
  return source;
}

const path = '/api/rooms/daily/recordings';
const read = (id: string, of = path) => gateway.api<RecordingResource>('GET', `${of}/${id}`);
const start = (input: object, of = path) => gateway.api<RecordingResource>('POST', of, input, 30_000);

async function becomes(id: string, state: RecordingResource['state'], of = path): Promise<RecordingResource> {
  await vi.waitFor(async () => expect((await read(id, of)).state).toBe(state), { timeout: waitMs, interval: 100 });
  return read(id, of);
}

async function stopAndSave(id: string, of = path): Promise<{ recording: RecordingResource; files: string[] }> {
  await gateway.api('POST', `${of}/${id}/stop`);
  const recording = await becomes(id, 'finished', of);
  const files = await Promise.all(
    recording.parts.map(async ({ downloadPath, number }) => {
      const response = await fetch(`${gateway.url}${downloadPath}`, {
        headers: { authorization: `Bearer ${adminKey}` },
      });
      const file = join(folder, `saved-${id}-${number}`);
      await writeFile(file, Buffer.from(await response.arrayBuffer()));
      return file;
    }),
  );
  return { recording, files };
}

/** What is asked of a <video>. */
interface Shown {
  readonly currentTime: number;
  readonly videoWidth: number;
  readonly duration: number;
  readonly error: { readonly message: string } | null;
}

const flows = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test(
  'a room with joins, mutes, leaves, a shared screen and a pause becomes one file: whole, in sync, without errors',
  async () => {
    const path = join(folder, 'meeting.mp4');
    const meeting = { gateway, browser, room: 'meeting', stepMs: 1_200, flasher: 'rtmp', path } as const;
    const { facts, parts, expectedS, offsetsMs, beeps, played } = await recordMeeting(meeting);
    expect(parts).toBe(1);
    expect(facts.complaints).toBe('');
    expect(facts.codecs).toEqual(['aac', 'h264']);
    // bench/record asks for 0.2 s of a machine that is quiet.
    expect(Math.abs(facts.durationS - expectedS)).toBeLessThan(0.6);
    console.info('sound behind picture, ms:', offsetsMs.join(' '));
    // Of all of them: three at an end say how busy the machine was then, which bench/record asks of one that is quiet.
    const middle = offsetsMs.toSorted((a, b) => a - b)[Math.floor(offsetsMs.length / 2)];
    expect(Math.abs(middle ?? Number.NaN)).toBeLessThan(60);
    // Nothing is left out and nothing put in: one comes every other second, and one more or less where the pause is.
    expect(beeps.length).toBeGreaterThan(5);
    expect(Math.abs(beeps.length - facts.durationS / 2)).toBeLessThanOrEqual(2);
    expect(played).toMatchObject({ width: 1_280, error: '' });
    expect(played.durationS).toBeCloseTo(facts.durationS, 1);
  },
  testMs,
);

test(
  'a room that nobody is in, that fills, empties and fills again with pictures of another size is one file without a break',
  async () => {
    const recordings = '/api/rooms/changing/recordings';
    await gateway.api('POST', '/api/rooms', { name: 'changing' });
    const { id } = await start({}, recordings);
    await becomes(id, 'recording', recordings);
    const beganAt = performance.now();
    const count = async () =>
      (await gateway.api<{ items: unknown[] }>('GET', '/api/rooms/changing/streams')).items.length;
    const empty = await count();
    for (const size of ['320x180', '640x480']) {
      const source = await pushInto('changing', { size });
      await flows(2_200);
      // Says that it ends: whoever is cut off is waited for.
      source.kill('SIGINT');
      await vi.waitFor(async () => expect(await count()).toBe(empty), { timeout: waitMs, interval: 50 });
    }
    const { recording, files } = await stopAndSave(id, recordings);
    const lastedS = (performance.now() - beganAt) / 1_000;
    expect(recording.parts).toHaveLength(1);
    const [file = ''] = files;
    const { durationS, codecs, complaints } = await probeFile(file);
    expect([codecs, complaints]).toEqual([['aac', 'h264'], '']);
    expect(durationS).toBeGreaterThan(4.4);
    expect(durationS).toBeLessThan(lastedS + 1);
    const { flashes, beeps } = await findFlashes(file);
    // One of each source at the least.
    expect(Math.min(flashes.length, beeps.length)).toBeGreaterThanOrEqual(2);
    const sound = await packetGapsS(file, 'a');
    expect([Math.min(...sound), Math.max(...sound)]).toEqual([expect.closeTo(0.021, 2), expect.closeTo(0.021, 2)]);
    expect(Math.min(...(await packetGapsS(file, 'v')))).toBeGreaterThan(0);
  },
  testMs,
);

test(
  'each camera, microphone and screen is a file of its own, and another view of the room and one stream are recorded alone',
  async () => {
    const of = '/api/rooms/stems/recordings';
    await gateway.api('POST', '/api/rooms', { name: 'stems' });
    await gateway.api('POST', '/api/rooms/stems/views', { name: 'wide', video: { width: 480, height: 270 } });
    for (const source of [
      { kind: 'view', view: 'none' },
      { kind: 'stream', stream: 'TR_none' },
    ]) {
      await expect(gateway.api('POST', of, { source })).rejects.toThrow(
        /no view .*none.*; it has: common, wide|Nobody sends/,
      );
    }
    await pushInto('stems');
    const stems = await start({ source: { kind: 'streams' } }, of);
    const wide = await start({ source: { kind: 'view', view: 'wide' } }, of);
    const grace = await FlashingPage.join(browser, gateway, { room: 'stems', name: 'Grace', isPlain: true });
    await grace.press('share');
    type Streams = { items: { id: string; source: string }[] };
    const screenOf = async () =>
      (await gateway.api<Streams>('GET', '/api/rooms/stems/streams')).items.find(({ source }) => source === 'screen');
    await vi.waitFor(async () => expect(await screenOf()).toBeDefined(), { timeout: waitMs, interval: 100 });
    const screen = (await screenOf())?.id;
    const alone = await start({ source: { kind: 'stream', stream: screen }, format: 'webm' }, of);
    expect(alone.source).toEqual({ kind: 'stream', stream: screen });
    for (const { id } of [stems, wide, alone]) await becomes(id, 'recording', of);
    await flows(4_000);
    await grace.press('share');
    // It ends with its stream; the others go on.
    expect((await becomes(alone.id, 'finished', of)).reason).toBe('stream_ended');
    await grace.close();
    const all = await stopAndSave(stems.id, of);
    const inFiles = all.recording.parts.map(({ track, streams }) => [
      track.replace(/( \d+)?-.*/, ''),
      streams[0]?.codec,
    ]);
    expect(inFiles.toSorted()).toEqual([
      ['Grace', 'h264'],
      ['Grace', 'h264'],
      ['source', 'aac'],
      ['source', 'h264'],
    ]);
    expect(all.recording.parts.map(({ streams }) => streams.length)).toEqual([1, 1, 1, 1]);
    const shared = all.recording.parts.findIndex(({ streamId }) => streamId === screen);
    expect(all.recording.parts[shared]?.track).toBe('Grace-screen');
    // What was shared is green, and the camera brown; the stem of the encoder flashes, and the one of its sound beeps.
    for (const [index, { track }] of all.recording.parts.entries()) {
      const file = all.files[index] ?? '';
      expect((await probeFile(file)).complaints).toBe('');
      if (!track.startsWith('Grace')) continue;
      const { red, green } = await middleColor(file);
      expect(track === 'Grace-screen' ? green - red : red - green).toBeGreaterThan(20);
    }
    const { recording } = await stopAndSave(wide.id, of);
    expect(recording.parts[0]?.streams.map(({ width }) => width).toSorted()).toEqual([480, null]);
  },
  testMs,
);

test(
  'a media worker that is killed costs no more than a second; the next part follows',
  async () => {
    const everybody = { source: { kind: 'participants' }, video: 'copy', audioCodec: 'opus', format: 'mkv' };
    const { id } = await start(everybody);
    await becomes(id, 'recording');
    const began = performance.now();
    await flows(5_000);
    // Copied: nothing is composed or encoded for it.
    expect([...gateway.app.views.running].filter(({ room }) => room.name === 'daily')).toEqual([]);
    for (const { pid } of gateway.app.media.describeWorkers()) process.kill(pid, 'SIGKILL');
    const untilKilledS = (performance.now() - began) / 1_000;
    await vi.waitFor(async () => expect((await read(id)).message).toMatch(/next part/), {
      timeout: waitMs,
      interval: 20,
    });
    await vi.waitFor(async () => expect((await read(id)).message).toBe('Recording.'), {
      timeout: waitMs,
      interval: 100,
    });
    await flows(3_000);
    const { recording, files } = await stopAndSave(id);
    const parts = recording.parts.filter(({ track }) => track === recording.parts[0]?.track);
    expect(parts.map(({ startedAt }) => startedAt)).toEqual(parts.map(({ startedAt }) => startedAt).sort());
    expect(parts.length).toBeGreaterThanOrEqual(2);
    expect((parts[0]?.durationMs ?? 0) / 1_000).toBeGreaterThan(untilKilledS - 1);
    const kinds = parts[0]?.streams.map(({ codec, width }) => [codec, width]);
    expect(kinds?.toSorted()).toEqual([
      ['h264', 320],
      ['opus', null],
    ]);
    for (const file of files) expect((await probeFile(file)).complaints).toBe('');
  },
  testMs,
);

test(
  'a recording is begun, watched and deleted in the console, and shown to who is in the meeting',
  async () => {
    const guest = await MeetingPeer.join(browser, gateway, { name: 'Guest', room: 'daily' });
    const admin = await MeetingPeer.open(browser, `${gateway.url}/console#/rooms/daily`, { name: 'Admin' });
    const { page } = admin;
    await admin.at('api-key').fill(adminKey);
    await admin.at('sign-in-button').click();
    await page.getByTestId('record').click({ timeout: waitMs });
    await page.locator('[data-testid=recording-row][data-state=recording]').first().waitFor({ timeout: waitMs });
    await guest.at('recording').waitFor({ timeout: waitMs });
    await flows(3_000);
    await page.getByTestId('stop-recording').first().click();
    await guest.at('recording').waitFor({ state: 'detached', timeout: waitMs });
    const newest = page.getByTestId('recording-row').first();
    const isFinished = async () => expect(await newest.getAttribute('data-state')).toBe('finished');
    await vi.waitFor(isFinished, { timeout: waitMs, interval: 200 });
    const { items } = await gateway.api<{ items: RecordingResource[] }>('GET', path);
    const [video] = items[0]?.parts[0]?.streams.filter(({ kind }) => kind === 'video') ?? [];
    expect([items[0]?.source.kind, video?.width]).toEqual(['room', 1_280]);
    await newest.getByTestId('play-recording').first().click({ timeout: waitMs });
    const player = page.getByTestId('recording-player');
    await player.waitFor({ timeout: waitMs });
    const plays = async () => {
      const seen = await player.evaluate((video) => {
        const { currentTime, videoWidth, duration, error } = video as unknown as Shown;
        return { currentTime, videoWidth, duration, error: error?.message };
      });
      expect(seen.error).toBeUndefined();
      expect(seen.currentTime).toBeGreaterThan(1);
      expect(seen.videoWidth).toBe(1_280);
      expect(seen.duration).toBeGreaterThan(2);
    };
    await vi.waitFor(plays, { timeout: waitMs, interval: 200 });
    expect(admin.errors).toEqual([]);
    await guest.close();
    await admin.close();
  },
  testMs,
);

test(
  'a disk with less free than there has to be refuses to record, and says how much is missing',
  async () => {
    const small = await startGateway({ recordings: { minFreeBytes: 1e15 } });
    try {
      await small.api('POST', '/api/rooms', { name: 'full' });
      await expect(small.api('POST', '/api/rooms/full/recordings', {})).rejects.toThrow(/free.*have to be/);
    } finally {
      await small.close();
    }
  },
  testMs,
);
