// A room watched without WebRTC: what ffmpeg and browsers see and hear of it, and who is refused.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Room } from '#core/room.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { type Watched, watchByFfmpeg } from '#test/support/live-player.ts';
import { VoicePeer } from '#test/support/voice-peer.ts';

let gateway: TestGateway;
let room: Room;
let camera: CameraPeer;
let voice: VoicePeer;
let token: string;
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
  gateway = await startGateway({
    hls: { maxHeight: 180, lingerMs: 20_000, startTimeoutMs: 60_000 },
    media: { workers: 1, maxLoadPercent: 100 },
  });
  await gateway.api('POST', '/api/rooms', { name: 'live', views: [{ name: 'common', video: { ladder: [90] } }] });
  token = await gateway.token({ room: 'live', role: 'viewer' });
  room = await gateway.app.rooms.open('live');
  camera = await CameraPeer.join(room, { name: 'blue', color: '#2020c0' });
  voice = await VoicePeer.join(room, { name: 'blue', toneHz: 440, participant: camera.participant });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await voice?.close();
  await camera?.close();
  await gateway?.close();
});

const address = (path: string, credential = token) => `${gateway.url}${path}?token=${credential}`;

/** Pictures that go on, the colour and the tone. */
const isBlueTone = ({ numbers, color, toneDbov }: Watched) =>
  new Set(numbers).size > 10 && color === 'blue' && toneDbov > -30;

test.for([
  { way: 'HLS', path: '/hls/live/index.m3u8' },
  { way: 'DASH', path: '/dash/live/manifest.mpd' },
  { way: 'fMP4 over HTTP', path: '/fmp4/live' },
])('ffmpeg plays $way: pictures in order, the colour and the tone', { timeout: 120_000 }, async ({ path }) => {
  const seen = await watchByFfmpeg(address(path), isBlueTone);
  expect(seen.disorders).toBe(0);
  expect(seen).toSatisfy(isBlueTone);
});

test('another view is watched at an address of its own, without sound where it has none; so is the sound of everybody alone', {
  timeout: 120_000,
}, async () => {
  const views = '/api/rooms/live/views';
  await gateway.api('POST', views, { name: 'mute', hasAudio: false, video: { width: 320, height: 320, ladder: [] } });
  const index = await (await fetch(address('/hls/live/views/mute/index.m3u8'))).text();
  expect(index).toMatch(/RESOLUTION=180x180\b/);
  expect(index).not.toMatch(/mp4a/);
  const sound = await (await fetch(address('/hls/live/mix/index.m3u8'))).text();
  expect(sound).toMatch(/CODECS="mp4a[^"]*"/);
  expect(sound).not.toMatch(/avc1/);
  const piece = await fetch(address('/fmp4/live/views/mute'));
  expect(piece.headers.get('content-type')).toMatch(/^video\/mp4; codecs="avc1[^,]*"$/);
  await piece.body?.cancel();
  for (const path of [
    '/hls/live/views/none/index.m3u8',
    '/fmp4/live/views/none',
    '/dash/live/views/none/manifest.mpd',
  ]) {
    expect((await fetch(address(path))).status).toBe(404);
  }
});

test('who has no right is told why, and no credential goes on into a playlist', async () => {
  const status = async (url: string, headers: Record<string, string> = {}) => (await fetch(url, { headers })).status;
  for (const path of ['/hls/live/index.m3u8', '/dash/live/manifest.mpd', '/fmp4/live']) {
    expect(await status(`${gateway.url}${path}`)).toBe(401);
    expect(await status(address(path, 'wrong'))).toBe(401);
    await gateway.api('POST', '/api/rooms', { name: `other-${path.length}` });
    const other = await gateway.token({ room: `other-${path.length}` });
    expect(await status(address(path, other))).toBe(403);
  }
  expect(await status(address('/hls/nowhere/index.m3u8', adminKey))).toBe(404);
  expect(await status(address('/hls/live/nobody/index.m3u8'))).toBe(404);
  const listener = await gateway.token({ room: 'live', role: 'video_only_viewer' });
  expect(await status(address('/hls/live/index.m3u8', listener))).toBe(403);
  const answer = await fetch(`${gateway.url}/hls/live/index.m3u8`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
  const [, ticket] = (await answer.text()).match(/\?v=([\w-]{22})/) ?? [];
  expect(await status(`${gateway.url}/hls/live/video.m3u8?v=${ticket}`)).toBe(200);
  expect(await status(`${gateway.url}/hls/live/video.m3u8?v=${'x'.repeat(22)}`)).toBe(401);
  expect(await status(`${gateway.url}/hls/other-12/video.m3u8?v=${ticket}`)).toBe(403);
}, 30_000);

interface Look {
  readonly number: number;
  readonly color: readonly [number, number, number];
  readonly toneHz: number;
  readonly toneDb: number;
  readonly latencyMs: number;
  readonly isLowLatency?: boolean;
  readonly height: number;
  readonly heights?: readonly number[];
  readonly positionS: number;
}

/** A page that the gateway served: Chromium lets no other open sockets to this machine. */
async function openPage(): Promise<Page> {
  const page = await browser.newPage({ bypassCSP: true });
  await page.goto(`${gateway.url}/health`);
  await page.addScriptTag({ path: fileURLToPath(import.meta.resolve('hls.js/dist/hls.min.js')) });
  const script = new URL('../support/pages/live-player.js', import.meta.url);
  await page.addScriptTag({ content: await readFile(script, 'utf8') });
  return page;
}

async function call<T>(page: Page, name: string, options: object = {}): Promise<T> {
  return (await page.evaluate(
    ([name, options]) => {
      const functions = Reflect.get(globalThis, 'live') as Record<string, (options: unknown) => unknown>;
      return functions[name as string]?.(options);
    },
    [name, options] as const,
  )) as T;
}

/** Waits until pictures go on, blue, with the tone; prints how old they are when they are seen. */
async function seesAndHears(page: Page, name: string): Promise<void> {
  const isBlue = ({ color: [red, green, blue] }: Look) => blue > red + 60 && blue > green + 60;
  const isTone = ({ toneHz, toneDb }: Look) => Math.abs(toneHz - 440) < 15 && toneDb > -70;
  await expect
    .poll(
      async () => {
        const look = await call<Look>(page, 'look');
        return isBlue(look) && isTone(look) ? 'blue, 440 Hz' : look;
      },
      { timeout: 60_000, interval: 250 },
    )
    .toBe('blue, 440 Hz');
  const first = await call<Look>(page, 'look');
  await expect
    .poll(async () => (await call<Look>(page, 'look')).positionS, { timeout: 60_000, interval: 250 })
    .toBeGreaterThan(first.positionS + 2);
  const ages: number[] = [];
  const told: number[] = [];
  const numbers = new Set<number>();
  for (let sample = 0; sample < 20; sample++) {
    const { number, latencyMs } = await call<Look>(page, 'look');
    ages.push((((camera.frames - 1 - number) & 255) * 1_000) / 30);
    told.push(latencyMs);
    numbers.add(number);
    await page.waitForTimeout(100);
  }
  expect(numbers.size).toBeGreaterThan(3);
  const median = (values: number[]) => Math.round(values.toSorted((a, b) => a - b)[values.length >> 1] ?? -1);
  console.log(`${name}: from camera to screen ${median(ages)} ms by counter; the player says ${median(told)} ms`);
}

test('Chromium sees and hears fMP4 over WebSocket with the client library', { timeout: 150_000 }, async () => {
  const page = await openPage();
  const url = `${gateway.url.replace(/^http/, 'ws')}/fmp4/live`;
  const refused = await call<{ phase: string; code?: string }[]>(page, 'playFmp4', { url, token: 'wrong' });
  expect(refused.at(-1)).toMatchObject({ phase: 'failed', code: 'unauthorized' });
  await call(page, 'stop');
  await call(page, 'playFmp4', { url, token });
  await seesAndHears(page, 'fMP4 over WebSocket');
  await page.close();
});

test('Chromium sees and hears low-latency HLS with hls.js, and changes between encodings of one view as it plays', {
  timeout: 150_000,
}, async () => {
  const page = await openPage();
  await call(page, 'playHls', { url: address('/hls/live/index.m3u8') });
  await seesAndHears(page, 'LL-HLS with hls.js');
  const { isLowLatency, heights } = await call<Look>(page, 'look');
  expect(isLowLatency).toBe(true);
  expect(heights).toEqual([90, 180]);
  for (const height of [90, 180, 90]) {
    await call(page, 'changeLevel', { height });
    await expect
      .poll(async () => (await call<Look>(page, 'look')).height, { timeout: 60_000, interval: 100 })
      .toBe(height);
  }
  await seesAndHears(page, 'the lower of two encodings');
  const { stats } = gateway.app.views.find(room.record, 'common') ?? {};
  expect(stats?.encoders.map((encoder) => encoder.height).toSorted((a, b) => a - b)).toEqual([90, 180]);
  await page.close();
});

test('the meeting page shows the room without WebRTC: when asked, and by itself when ICE fails', {
  timeout: 240_000,
}, async () => {
  const join = async (query: string, prepare?: (page: Page) => Promise<unknown>) => {
    const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } });
    await prepare?.(page);
    const link = await gateway.token({ room: 'live', user: `watcher${query.length}`, role: 'viewer' });
    await page.goto(`${gateway.url}/r/live${query}#token=${link}`, { waitUntil: 'domcontentloaded' });
    await page.getByTestId('join').click();
    await page.locator('[data-testid="live-player"][data-phase="playing"]').waitFor({ timeout: 100_000 });
    return page;
  };
  const asked = await join('?mode=fmp4');
  await expect
    .poll(() => asked.locator('.live-player video').evaluate((video) => Reflect.get(video, 'currentTime') as number), {
      timeout: 60_000,
    })
    .toBeGreaterThan(1);
  if (process.env.SCREENSHOT) await asked.screenshot({ path: process.env.SCREENSHOT });
  await asked.close();
  // Nobody listens where the page is told that the gateway does (browsers ignore ports below 1024).
  const failing = await join('', (page) =>
    page.addInitScript(`{
      const set = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
        return set.call(this, { type, sdp: sdp.replace(/(a=candidate:\\S+ \\d+ \\S+ \\d+ \\S+) \\d+/g, '$1 65535') });
      };
    }`),
  );
  await failing.getByTestId('media-failed').waitFor();
  expect(await failing.getByTestId('media-failed').textContent()).toContain('with a delay');
  await failing.close();
});

test('a room without pictures and sound plays too, and so does one participant alone', {
  timeout: 150_000,
}, async () => {
  await gateway.api('POST', '/api/rooms', { name: 'quiet' });
  const isQuiet = ({ numbers, heardS, toneDbov }: Watched) => numbers.length > 3 && heardS > 2 && toneDbov < -60;
  expect(await watchByFfmpeg(address('/fmp4/quiet', adminKey), isQuiet)).toSatisfy(isQuiet);
  expect(await watchByFfmpeg(address('/fmp4/live/blue'), isBlueTone)).toSatisfy(isBlueTone);
});
