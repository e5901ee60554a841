// SRT in the room: encoders that push with a stream key, streams that are pulled, over a path that loses, to what a
// browser sees and hears.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type {
  JobList,
  NewStreamKeyResource,
  ParticipantResource,
  StreamingInResource,
  StreamKeyResource,
} from '#api/contract.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { freePort } from '#test/support/ports.ts';
import { disorders, obsEncoding, openViewerPage, testInputs } from '#test/support/test-picture.ts';
import { UdpRelay } from '#test/support/udp-relay.ts';

let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let room: string;
let rooms = 0;
const cleanups: (() => unknown)[] = [];
const poll = { timeout: 30_000 };

beforeAll(async () => {
  gateway = await startGateway({ ingress: { graceMs: 30_000 }, netPolicy: { allow: ['127.0.0.0/8'] } });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
  await warmUp();
}, 240_000);

/** The first media worker takes its time on a busy machine, and ffmpeg does not try again as OBS does. */
async function warmUp(): Promise<void> {
  const { id, url } = await gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', {
    ...{ room: 'demo', name: 'First', protocol: 'srt' },
  });
  for (let isLive = false; !isLive; ) {
    const encoder = encode(url);
    const isOver = encoder.exited.then(() => true);
    const look = async () => (await jobs()).some(({ state }) => state === 'live');
    while (!isLive && (await Promise.race([isOver, new Promise((wake) => setTimeout(wake, 200))])) !== true) {
      isLive = await look();
    }
    await encoder.stop();
  }
  await gateway.api('DELETE', `/api/stream-keys/${id}`);
  while ((await jobs()).length > 0) await new Promise((wake) => setTimeout(wake, 100));
}

beforeEach(async () => {
  rooms += 1;
  room = `srt-${rooms}`;
  await gateway.api('POST', '/api/rooms', { name: room });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await gateway.api('DELETE', `/api/rooms/${room}`);
  expect(page.errors.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

const makeKey = (options: object = {}) =>
  gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', { room, name: 'OBS', protocol: 'srt', ...options });

function encode(url: string, bFrames = 0): PeerProcess {
  const encoder = new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(bFrames), '-f', 'mpegts', url]);
  cleanups.push(() => encoder.stop('SIGKILL'));
  return encoder;
}

async function watch(): Promise<string> {
  const token = await gateway.token({ room, user: 'viewer', role: 'viewer' });
  const player = await page.call<{ status: number; handle: string }>('play', {
    url: `${gateway.url}/whep/${room}`,
    token,
  });
  expect(player.status).toBe(201);
  cleanups.push(() => page.call('leave', { handle: player.handle }));
  return player.handle;
}

const participants = async () =>
  (await gateway.api<{ items: ParticipantResource[] }>('GET', `/api/rooms/${room}/participants`)).items;
const pushed = async () => (await participants()).find(({ kind }) => kind === 'ingress');
const jobs = async () => (await gateway.api<JobList>('GET', '/api/jobs')).items;

/** Sound may be there before the picture has been judged. */
async function live(): Promise<NonNullable<Awaited<ReturnType<typeof pushed>>>> {
  await expect.poll(async () => (await pushed())?.streams.length, poll).toBe(2);
  await expect.poll(async () => (await jobs())[0]?.state, poll).toBe('live');
  return (await pushed()) as NonNullable<Awaited<ReturnType<typeof pushed>>>;
}

async function seenAndHeard(): Promise<string> {
  const handle = await watch();
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  const { numbers, offsetsMs } = await page.call<{ numbers: number[]; offsetsMs: number[] }>('observe', {
    handle,
    withinMs: 60,
  });
  console.log(`beep after flash, ms: ${offsetsMs.map(Math.round).join(' ')}`);
  expect(disorders(numbers)).toBe(0);
  expect(numbers.length).toBeGreaterThan(60);
  return handle;
}

test.each([
  ['without B-frames, in the clear: forwarded', 0, false, 'forward'],
  ['with B-frames as OBS has them, encrypted: transcoded', 2, true, 'transcode'],
])('a stream %s; seen, heard and in step', async (_title, bFrames, isEncrypted, action) => {
  const key = await makeKey({ isEncrypted });
  expect(key.url).toContain(`srt://127.0.0.1:`);
  expect(key.url.includes('passphrase=')).toBe(isEncrypted);
  encode(key.url, bFrames);
  expect(await live()).toMatchObject({ displayName: 'OBS', isConnected: true });
  const [job] = await jobs();
  expect(job?.verdicts.find(({ kind }) => kind === 'video')).toMatchObject({ action, from: 'h264', to: 'h264' });
  expect(job?.verdicts.find(({ kind }) => kind === 'audio')).toMatchObject({ action: 'transcode', from: 'aac' });
  await seenAndHeard();
  const log = JSON.stringify(gateway.log.lines);
  expect(log).toContain('srt publisher accepted');
  expect(log).not.toContain(key.key);
  if (key.passphrase) expect(log).not.toContain(key.passphrase);
});

test('a twentieth of the datagrams lost on the way is not seen', async () => {
  const key = await makeKey({ isEncrypted: true });
  const port = Number(/:(\d+)\?/.exec(key.url)?.[1]);
  const relay = await UdpRelay.start('127.0.0.2', port);
  cleanups.push(() => relay.close());
  relay.lose(0.05);
  encode(key.url.replace('127.0.0.1', '127.0.0.2').replace(/latency=\d+/, 'latency=400000'));
  await live();
  await seenAndHeard();
  await expect.poll(() => relay.lost, poll).toBeGreaterThan(50);
  await gateway.api('DELETE', `/api/stream-keys/${key.id}`);
  await expect.poll(participants, poll).toHaveLength(0); // viewers by WHEP are not shown
  const left = gateway.log.lines.findLast(({ message }) => message === 'srt publisher left');
  console.log('over the lossy path:', JSON.stringify(left?.fields));
  expect(left?.fields).toMatchObject({ reason: 'kicked', droppedPackets: 0 });
});

test('a wrong key, a missing and a wrong passphrase are refused with the reason, and leave no trace', async () => {
  const key = await makeKey({ isEncrypted: true });
  const refused = [
    [key.url.replace(key.key, 'x'.repeat(28)), 'unauthorized', /Application-defined rejection/],
    [key.url.replace(/&passphrase=.*/, ''), 'invalid_request', /Password required/],
    [key.url.replace(/passphrase=.*/, 'passphrase=not-the-right-one'), 'invalid_request', /Incorrect passphrase/],
  ] as const;
  for (const [url, code, words] of refused) {
    const encoder = encode(url);
    await encoder.says(words);
    const line = gateway.log.lines.findLast(({ message }) => message === 'srt publisher refused');
    expect(line?.fields).toMatchObject({ code });
  }
  expect(await participants()).toEqual([]);
  expect(JSON.stringify(gateway.log.lines)).not.toContain('x'.repeat(28));
});

test('an encoder that is killed and comes back has its place again, while the viewer stays', async () => {
  const key = await makeKey();
  const first = encode(key.url);
  const before = await live();
  const handle = await seenAndHeard();
  await first.stop('SIGKILL');
  await expect.poll(async () => (await pushed())?.isConnected, poll).toBe(false);
  // Silence is seen at once, but who falls silent is given up only after a while.
  const away = () => gateway.api<StreamKeyResource>('GET', `/api/stream-keys/${key.id}`);
  await expect.poll(away, poll).toMatchObject({ isLive: false, participantId: before.id });
  encode(key.url);
  await expect.poll(pushed, poll).toMatchObject({ id: before.id, streams: before.streams, isConnected: true });
  await page.call('keepsPlaying', { handle, frameCount: 30 });
  await page.call('hears', { handle, hz: 440 });
  expect(await page.call('state', { handle })).toBe('connected');
});

test('a listener is pulled into the room, and again after it was gone', async () => {
  const port = await freePort();
  const serve = () => encode(`srt://127.0.0.1:${port}?mode=listener&passphrase=correcthorse`);
  const first = serve();
  const made = await gateway.api<StreamingInResource>('POST', `/api/rooms/${room}/streaming-ins`, {
    url: `srt://127.0.0.1:${port}?streamid=#!::r=cam,m=request&passphrase=correcthorse&latency=200`,
    name: 'Cam',
    stallTimeoutMs: 2_000,
  });
  expect(made.url).toBe(`srt://127.0.0.1:${port}?streamid=***`);
  const read = () => gateway.api<StreamingInResource>('GET', `/api/rooms/${room}/streaming-ins/${made.id}`);
  await expect.poll(read, poll).toMatchObject({ state: 'live', streams: [expect.any(String), expect.any(String)] });
  const handle = await seenAndHeard();
  await first.stop('SIGKILL');
  await expect.poll(async () => (await read()).state, poll).toBe('reconnecting');
  const { participantId, streams } = await read();
  serve();
  await expect.poll(read, { timeout: 45_000 }).toMatchObject({ state: 'live', participantId, streams });
  await page.call('keepsPlaying', { handle, frameCount: 30 });
  expect(JSON.stringify(gateway.log.lines)).not.toContain('correcthorse');
});

test('a pull that is refused says why', async () => {
  const port = await freePort();
  encode(`srt://127.0.0.1:${port}?mode=listener&passphrase=correcthorse`);
  const url = `srt://127.0.0.1:${port}?passphrase=wronghorses`;
  const made = await gateway.api<StreamingInResource>('POST', `/api/rooms/${room}/streaming-ins`, { url, name: 'Cam' });
  await expect
    .poll(() => gateway.api<StreamingInResource>('GET', `/api/rooms/${room}/streaming-ins/${made.id}`), poll)
    .toMatchObject({ state: 'failed', message: expect.stringContaining('the passphrase is wrong') });
});
