// What encoders and cameras bring: pictures in their order, sound that is not made up, both in step by the sender reports,
// which is what every receiver goes by; and a browser sees and hears it.
//
// None of it is measured by the clock of the machine: how late things come is printed only. What Chromium shows and plays,
// and how far apart, watches `npm run soak:ingress`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { RoomStats } from '#api/contract.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { type IngressSource, IngressSources, makeClips, type SourceName } from '#test/support/ingress-sources.ts';
import { medianOf } from '#test/support/reported-clock.ts';
import { SyncViewer } from '#test/support/sync-viewer.ts';
import { disorders, openViewerPage } from '#test/support/test-picture.ts';

/** Of each source, one a second. */
const flashes = 8;
const poll = { timeout: 60_000 };

let clips: string;
let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let sources: IngressSources;
const viewers: SyncViewer[] = [];

beforeAll(async () => {
  clips = await mkdtemp(join(tmpdir(), 'ingress-clips-'));
  await makeClips(clips);
  gateway = await startGateway({ netPolicy: { allow: ['127.0.0.1'] } });
  sources = new IngressSources(gateway, clips);
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
}, 180_000);

afterEach(async () => {
  for (const viewer of viewers.splice(0)) viewer.close();
  await sources.stop();
  expect(page.errors.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
  await rm(clips, { recursive: true, force: true });
});

/** Starts it and watches it as RTP and in the browser, until both have had enough. */
async function watch(name: SourceName) {
  await gateway.api('POST', '/api/rooms', { name });
  const source = await sources.start(name);
  await untilInRoom(source);
  const viewer = await SyncViewer.join(await gateway.app.rooms.open(name));
  viewers.push(viewer);
  const token = await gateway.token({ room: name, user: 'viewer', role: 'viewer' });
  const player = { url: `${gateway.url}/whep/${name}`, token };
  const { handle, streamIds } = await page.call<{ handle: string; streamIds: string[] }>('play', player);
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  const shown = await page.call<number[]>('numbersOf', { handle, count: 45 });
  await viewer.untilFlashes(flashes);
  await page.call('leave', { handle });
  return { source, viewer, streamIds, shown };
}

/** Both of its kinds, as the job says. */
async function untilInRoom({ room, job, verdicts }: IngressSource): Promise<void> {
  const done = async () => (await job())?.verdicts.map(({ from, action, to }) => `${from} ${action} ${to}`).sort();
  await expect.poll(done, poll).toEqual([...verdicts].sort());
  const streams = () => gateway.api<{ items: unknown[] }>('GET', `/api/rooms/${room}/streams`);
  await expect.poll(async () => (await streams()).items.length, poll).toBe(2);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

test.each<{ names: readonly SourceName[] }>([
  { names: ['rtmp-b-frames', 'rtsp', 'camera-h264-tcp', 'srt'] },
  { names: ['rtmp', 'rtmp-hevc', 'camera-h265-udp'] },
  { names: ['rtmp-av1', 'camera-h264-udp', 'camera-h265-tcp'] },
])(
  '$names: seen, heard and in step',
  async ({ names }) => {
    const watched = await Promise.all(names.map(watch));
    for (const { source, viewer, streamIds, shown } of watched) {
      const { room } = source;
      const { offsetsMs, sound, unreported, heldUpShare } = viewer;
      const facts = {
        ...{ packetsBeforeReport: unreported, usuallyLateMs: viewer.usualLatenessMs },
        reportsDifferMs: viewer.reportSpreadMs,
      };
      console.log(
        `${room}: beep after flash, ms: ${offsetsMs.map((ms) => ms.toFixed(1)).join(' ')}; missing of the sound ` +
          `${percent(sound.missingShare)}, pictures held up ${percent(heldUpShare)}; ${JSON.stringify(facts)}`,
      );
      expect.soft(Math.abs(medianOf(offsetsMs)), `${room}: offset`).toBeLessThan(40);
      // Two packets in five were thrown away once, for a time stamp that was a tick early.
      expect.soft(sound.torn, `${room}: torn`).toBe(0);
      // What comes late is left out, which is as much as the machine stands still.
      expect.soft(sound.missingShare, `${room}: missing`).toBeLessThan(0.1 + 2 * heldUpShare);
      expect.soft(viewer.disorders, `${room}: disorders`).toBe(0);
      expect.soft(viewer.pictures, `${room}: pictures`).toBeGreaterThan(10 * flashes);
      // The SFU sends one at least every second and a half; who joins gets a group of up to 60 pictures at once.
      expect.soft(unreported.audio, `${room}: packets before the first report`).toBeLessThan(3 * 50);
      expect.soft(unreported.video, `${room}: pictures before the first report`).toBeLessThan(60 + 3 * 30);
      expect.soft(disorders(shown), `${room}: disorders in the browser`).toBe(0);
      // What browsers bring in step, by the reports above, are tracks of one stream.
      expect.soft(streamIds, `${room}: streams in the browser`).toHaveLength(1);
      const { cpuMs = 0, memoryBytes = 0 } = (await source.job())?.info.progress ?? {};
      expect.soft(Math.min(cpuMs, memoryBytes), `${room}: cost`).toBeGreaterThan(0);
      const stats = await gateway.api<RoomStats>('GET', `/api/rooms/${room}/stats`);
      const { receivedBitrateBps } = stats.participants.find(({ displayName }) => displayName === room) ?? {};
      expect.soft(receivedBitrateBps, `${room}: received`).toBeGreaterThan(30_000);
    }
    for (const name of names) await gateway.api('DELETE', `/api/rooms/${name}`);
  },
  300_000,
);
