// Cameras in the room: a GStreamer RTSP server pulled by the gateway, to what a browser sees and hears, and what happens
// when the camera is lost; and an encoder that pushes by RTSP.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { NewStreamKeyResource, ParticipantResource, StreamingInResource } from '#api/contract.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { obsEncoding, openViewerPage, testInputs } from '#test/support/test-picture.ts';

const script = new URL('../support/gst-camera.py', import.meta.url).pathname;

/** The upper bars of GStreamer's test picture. */
const places = [
  { x: 0.21, y: 0.25, rgb: [255, 255, 0] },
  { x: 0.5, y: 0.25, rgb: [0, 255, 0] },
  { x: 0.79, y: 0.25, rgb: [255, 0, 0] },
  { x: 0.93, y: 0.25, rgb: [0, 0, 255] },
];

interface Camera {
  readonly process: PeerProcess;
  readonly port: string;
}

let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let camera: Camera;
let room: string;
let rooms = 0;
const peers: PeerProcess[] = [];

async function startCamera(...args: string[]): Promise<Camera> {
  const process = new PeerProcess('/usr/bin/python3', [script, ...args]);
  peers.push(process);
  const [, port = ''] = await process.says(/listening on (\d+)/);
  return { process, port };
}

beforeAll(async () => {
  gateway = await startGateway({ netPolicy: { allow: ['127.0.0.1'] }, ingress: { onDemandLingerMs: 1_000 } });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
  camera = await startCamera();
});

beforeEach(async () => {
  rooms += 1;
  room = `camera-${rooms}`;
  await gateway.api('POST', '/api/rooms', { name: room });
});

afterEach(async () => {
  await gateway.api('DELETE', `/api/rooms/${room}`);
  expect(page.errors.splice(0)).toEqual([]);
});

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop('SIGKILL')));
  await browser?.close();
  await gateway?.close();
});

const path = () => `/api/rooms/${room}/streaming-ins`;
const create = (input: object, wait = 20) =>
  gateway.api<StreamingInResource>('POST', `${path()}?wait=${wait}`, input, wait * 1_000 + 5_000);
const read = (id: string) => gateway.api<StreamingInResource>('GET', `${path()}/${id}`);

async function eventually<T>(ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (const deadline = performance.now() + 25_000; ; ) {
    const value = await ask();
    if (isSo(value)) return value;
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const withStreams = (id: string, count: number) =>
  eventually(
    () => read(id),
    ({ streams, state }) => streams.length === count && state === 'live',
  );

async function watch(): Promise<string> {
  const token = await gateway.token({ room, user: 'viewer', role: 'viewer' });
  const url = `${gateway.url}/whep/${room}`;
  const player = await page.call<{ status: number; handle: string }>('play', { url, token });
  expect(player.status).toBe(201);
  return player.handle;
}

test.each([
  ['H264 and PCMU by TCP', 'h264-pcmu', 'tcp', { video: 'forward h264', audio: 'forward pcmu' }],
  ['H264 and AAC by UDP', 'h264-aac', 'udp', { video: 'forward h264', audio: 'transcode opus' }],
  ['H265 and Opus by TCP', 'h265-opus', 'tcp', { video: 'transcode h264', audio: 'forward opus' }],
  ['H265 and G.726 by UDP', 'h265-g726', 'udp', { video: 'transcode h264', audio: 'transcode opus' }],
])('%s: seen and heard, and only what must be is transcoded', async (_title, name, transport, actions) => {
  const made = await create({ url: `rtsp://127.0.0.1:${camera.port}/${name}`, transport, name: 'Gate' });
  expect(made).toMatchObject({ state: 'live', lastError: null });
  const { verdicts } = await withStreams(made.id, 2);
  const shown = Object.fromEntries(verdicts.map(({ kind, action, to }) => [kind, `${action} ${to}`]));
  expect(shown).toEqual(actions);
  const handle = await watch();
  await page.call('showsColors', { handle, places });
  await page.call('hears', { handle, hz: 440 });
  await page.call('keepsPlaying', { handle, frameCount: 15 });
  await page.call('leave', { handle });
});

test('a camera on demand starts with a player and stops after it, and again', async () => {
  const url = `rtsp://127.0.0.1:${camera.port}/h264-pcmu`;
  const made = await create({ url, name: 'Gate', onDemand: true }, 1);
  expect(made).toMatchObject({ state: 'stopped', reason: 'no_viewers' });
  for (let round = 0; round < 2; round++) {
    const handle = await watch();
    expect(await read(made.id)).toMatchObject({ state: 'live' });
    await page.call('showsColors', { handle, places });
    await page.call('leave', { handle });
    await eventually(
      () => read(made.id),
      ({ state }) => state === 'stopped',
    );
    expect(await gateway.api('GET', '/api/jobs')).toMatchObject({ items: [] });
  }
});

test('a player of a camera on demand that cannot be reached is told so in time', async () => {
  await create({ url: 'rtsp://127.0.0.1:1/nothing', name: 'Gate', onDemand: true, startTimeoutMs: 1_000 }, 1);
  const token = await gateway.token({ room, user: 'viewer', role: 'viewer' });
  const url = `${gateway.url}/whep/${room}`;
  expect(await page.call('play', { url, token })).toMatchObject({ status: 404 });
});

test('a camera without sound is shown, and sound that was asked for and is not there fails with that reason', async () => {
  const { id } = await create({ url: `rtsp://127.0.0.1:${camera.port}/h264` });
  await withStreams(id, 1);
  const handle = await watch();
  await page.call('showsColors', { handle, places });
  await page.call('leave', { handle });
  const media = { audio: true };
  await gateway.api('PATCH', `${path()}/${id}`, { media });
  const failed = await eventually(
    () => read(id),
    ({ state }) => state === 'failed',
  );
  expect(failed).toMatchObject({ reason: 'unsupported_media', message: expect.stringContaining('no audio') });
});

test('a wrong password fails with its reason, and the right one is shown nowhere', async () => {
  const locked = await startCamera('tcp,udp', 'digest');
  const wrong = await create({ url: `rtsp://viewer:wrong@127.0.0.1:${locked.port}/h264` });
  expect(wrong).toMatchObject({
    state: 'failed',
    reason: 'source_refused',
    message: expect.stringContaining('refused the user name or password'),
    url: `rtsp://***:***@127.0.0.1:${locked.port}/h264`,
  });
  const url = `rtsp://viewer:pass:w%40rd@127.0.0.1:${locked.port}/h264`;
  const patched = await gateway.api<StreamingInResource>('PATCH', `${path()}/${wrong.id}?wait=20`, { url }, 25_000);
  expect(patched.state).toBe('live');
  expect(JSON.stringify([patched, gateway.log.lines])).not.toMatch(/w@rd|w%40rd|wrong@/);
  await locked.process.stop('SIGKILL');
});

test('a camera that is not there yet is tried until it is; the reason says what is wrong meanwhile', async () => {
  const spare = await startCamera();
  await spare.process.stop('SIGKILL');
  const { id, ...made } = await create({ url: `rtsp://127.0.0.1:${spare.port}/h264` }, 0);
  expect(['starting', 'reconnecting']).toContain(made.state); // it is refused within milliseconds, maybe before the answer is written
  const waiting = await eventually(
    () => read(id),
    ({ state }) => state === 'reconnecting',
  );
  expect(waiting).toMatchObject({ reason: 'source_unreachable', message: expect.stringContaining('ECONNREFUSED') });
  await startCamera('tcp,udp', `port=${spare.port}`);
  await withStreams(id, 1);
});

test('a camera that dies and comes back has its place again: same ids, same connection of the viewer', async () => {
  const frail = await startCamera();
  const made = await create({ url: `rtsp://127.0.0.1:${frail.port}/h264-pcmu` });
  const before = await withStreams(made.id, 2);
  const handle = await watch();
  await page.call('showsColors', { handle, places });
  await frail.process.stop('SIGKILL');
  const away = await eventually(
    () => read(made.id),
    ({ state }) => state === 'reconnecting',
  );
  expect(away).toMatchObject({ participantId: before.participantId, streams: before.streams });
  await startCamera('tcp,udp', `port=${frail.port}`);
  const after = await withStreams(made.id, 2);
  expect(after).toMatchObject({ participantId: before.participantId, streams: before.streams, jobId: before.jobId });
  expect(after.lastError?.reason).toMatch(/source_lost|source_unreachable/);
  await page.call('keepsPlaying', { handle, frameCount: 15 });
  expect(await page.call('state', { handle })).toBe('connected');
  await page.call('leave', { handle });
});

test('a media worker that is killed is replaced, and the camera goes on in its place', async () => {
  const made = await create({ url: `rtsp://127.0.0.1:${camera.port}/h264-pcmu` });
  const before = await withStreams(made.id, 2);
  const handle = await watch();
  await page.call('keepsPlaying', { handle });
  const workerPid = gateway.app.media.jobs.values().next().value?.workerPid ?? 0;
  process.kill(workerPid, 'SIGKILL');
  const killedAt = performance.now();
  const after = await eventually(
    () => read(made.id),
    ({ restarts, state }) => restarts === 1 && state === 'live',
  );
  console.log(`live again ${Math.round(performance.now() - killedAt)} ms after the kill`);
  expect(after).toMatchObject({ participantId: before.participantId, streams: before.streams });
  await page.call('keepsPlaying', { handle, frameCount: 15 });
  await page.call('leave', { handle });
});

test('loopback needs an explicit allow', async () => {
  const strict = await startGateway();
  try {
    const url = `rtsp://127.0.0.1:${camera.port}/h264`;
    await expect(strict.api('POST', '/api/rooms/demo/streaming-ins', { url })).rejects.toThrow(/403.*explicit allow/);
    // A name is judged by what it resolves to, when it is connected to.
    const byName = `rtsp://localhost:${camera.port}/h264`;
    const made = await strict.api<StreamingInResource>('POST', '/api/rooms/demo/streaming-ins?wait=9', { url: byName });
    expect(made).toMatchObject({ state: 'failed', message: expect.stringContaining('explicit allow') });
  } finally {
    await strict.close();
  }
});

test.each(['tcp', 'udp'])('an encoder pushes by RTSP over %s with its stream key', async (transport) => {
  const input = { room, name: 'Encoder', protocol: 'rtsp' };
  const key = await gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', input);
  const encoder = new PeerProcess('ffmpeg', [
    ...[...testInputs, ...obsEncoding(0)],
    ...['-f', 'rtsp', '-rtsp_transport', transport, key.url],
  ]);
  peers.push(encoder);
  const participants = () => gateway.api<{ items: ParticipantResource[] }>('GET', `/api/rooms/${room}/participants`);
  const [one] = (await eventually(participants, ({ items }) => items[0]?.streams.length === 2)).items;
  expect(one).toMatchObject({ kind: 'ingress', displayName: 'Encoder' });
  const handle = await watch();
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  if (transport === 'udp') await page.call('observe', { handle, withinMs: 60 });
  await page.call('leave', { handle });
  await encoder.stop();
});

test('a push by RTSP with a wrong key is refused', async () => {
  const input = { room, name: 'Encoder', protocol: 'rtsp' };
  const { serverUrl } = await gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', input);
  const encoder = new PeerProcess('ffmpeg', [
    ...[...testInputs, ...obsEncoding(0)],
    ...['-f', 'rtsp', `${serverUrl}/thisKeyDoesNotExist000000000`],
  ]);
  peers.push(encoder);
  expect(await encoder.exited).not.toBe(0);
  expect(encoder.output).toMatch(/401|403/);
});
