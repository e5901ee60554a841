// How old the pictures are that are watched without and with WebRTC: glass to glass, by a clock in the picture that a browser
// publishes and others read. All ways show the same view at the same time, and so does a peer: ffmpeg, which plays the room by
// RTSP and cuts it into HLS of two seconds, behind a bare HTTP server.
//
//   node scripts/run.mjs node bench/watch.ts [seconds, default 20] [first port, default 22000]
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from '#test/support/chromium.ts';
import { GatewayProcess } from './gateway-process.ts';

const seconds = Number(process.argv[2] ?? 20);
const port = Number(process.argv[3] ?? 22_000);
const sampleMs = 100;
const startsWithinMs = 90_000;
const pageScript = fileURLToPath(new URL('../test/support/pages/clock-page.js', import.meta.url));
const hlsScript = fileURLToPath(import.meta.resolve('hls.js/dist/hls.min.js'));
const folder = mkdtempSync(join(tmpdir(), 'bench-watch-'));

/** Each leaves its <video> in `globalThis.video`. */
const players = {
  WHEP: `async ({ gateway, token }) => {
    const peer = new RTCPeerConnection();
    const stream = new MediaStream();
    peer.ontrack = ({ track }) => stream.addTrack(track);
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    await peer.setLocalDescription();
    const answer = await fetch(gateway + '/whep/watch/views/common', {
      method: 'POST', body: peer.localDescription.sdp,
      headers: { 'content-type': 'application/sdp', authorization: 'Bearer ' + token },
    });
    if (!answer.ok) throw new Error(await answer.text());
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    video.srcObject = stream;
    await video.play();
  }`,
  'fMP4 over WebSocket': `async ({ gateway, token }) => {
    const { Fmp4Player } = await import('/assets/switchyard-client.js');
    new Fmp4Player({ video, url: gateway.replace('http', 'ws') + '/fmp4/watch', token: () => token }).start();
  }`,
  'LL-HLS, hls.js that catches up': `({ gateway, token }) =>
    play(gateway + '/hls/watch/index.m3u8?token=' + token, { lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.2 })`,
  'LL-HLS, hls.js as it comes': `({ gateway, token }) =>
    play(gateway + '/hls/watch/index.m3u8?token=' + token, { lowLatencyMode: true })`,
  'HLS, hls.js': `({ gateway, token }) =>
    play(gateway + '/hls/watch/index.m3u8?token=' + token, { lowLatencyMode: false })`,
  "HLS of the peer's": `({ peer }) => play(peer + '/index.m3u8', { lowLatencyMode: false })`,
} as const;

const playHls = `globalThis.video = Object.assign(document.createElement('video'), { muted: true, playsInline: true });
document.body.append(video);
globalThis.play = (url, options) => {
  const hls = new Hls({ enableWorker: false, ...options });
  hls.on(Hls.Events.ERROR, (_, { fatal }) => fatal && hls.startLoad());
  hls.on(Hls.Events.MANIFEST_PARSED, () => void video.play());
  hls.loadSource(url);
  hls.attachMedia(video);
};`;

async function publish(browser: Browser, gateway: GatewayProcess): Promise<void> {
  const page = await browser.newPage();
  await page.addInitScript({ path: pageScript });
  await page.addInitScript({ content: `navigator.mediaDevices.getUserMedia = async () => clock.camera();` });
  const { token } = await gateway.api<{ token: string }>('POST', '/api/rooms/watch/tokens', {
    ...{ user: 'clock', role: 'presenter' },
  });
  await page.goto(`${gateway.url}/r/watch#token=${token}`);
  await page.getByTestId('prejoin').waitFor({ timeout: startsWithinMs });
  await page.getByTestId('prejoin-mic').click();
  await page.getByTestId('join').click();
  await page.getByTestId('room').waitFor({ timeout: startsWithinMs });
}

async function watch(browser: Browser, way: keyof typeof players, where: object, origin: string): Promise<Page> {
  const page = await (await browser.newContext({ bypassCSP: true })).newPage();
  await page.goto(`${origin}/health`);
  for (const path of [pageScript, hlsScript]) await page.addScriptTag({ path });
  await page.addScriptTag({ content: playHls });
  await page.evaluate(`(${players[way]})(${JSON.stringify(where)})`);
  return page;
}

const ageOf = (page: Page) => page.evaluate<number>('clock.ageMs(video)');

async function sample(page: Page): Promise<number[]> {
  for (const giveUpAt = performance.now() + startsWithinMs; Number.isNaN(await ageOf(page)); ) {
    if (performance.now() > giveUpAt) return [];
    await setTimeout(sampleMs);
  }
  // What a start costs is over by then.
  await setTimeout(8_000);
  const ages: number[] = [];
  for (const until = performance.now() + seconds * 1_000; performance.now() < until; await setTimeout(sampleMs)) {
    ages.push(await ageOf(page));
  }
  return ages.filter(Number.isFinite).sort((a, b) => a - b);
}

async function startPeer(rtsp: string): Promise<{ ffmpeg: ChildProcess; server: Server }> {
  const output = '-c copy -f hls -hls_time 2 -hls_list_size 6 -hls_flags delete_segments'.split(' ');
  const input = ['-v', 'error', '-nostdin', '-rtsp_transport', 'tcp', '-i', rtsp];
  const ffmpeg = spawn('ffmpeg', [...input, '-an', ...output, join(folder, 'index.m3u8')], { stdio: 'inherit' });
  const server = createServer((request, response) => {
    const name = (request.url ?? '').replace(/[^\w.]/g, '');
    readFile(join(folder, name)).then(
      (body) => response.writeHead(200, { 'access-control-allow-origin': '*' }).end(body),
      () => response.writeHead(404, { 'access-control-allow-origin': '*' }).end(),
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  // hls.js gives up for good on a playlist that is not there yet.
  for (const giveUpAt = performance.now() + startsWithinMs; !existsSync(join(folder, 'index.m3u8')); ) {
    if (performance.now() > giveUpAt) throw new Error('ffmpeg has made no playlist');
    await setTimeout(sampleMs);
  }
  return { ffmpeg, server };
}

const gateway = await GatewayProcess.start(port, { media: { maxLoadPercent: 100 }, hls: { maxHeight: 360 } });
const browser = await launchChromium();
let peer: Awaited<ReturnType<typeof startPeer>> | undefined;
try {
  await gateway.api('POST', '/api/rooms', { name: 'watch' });
  await gateway.api('PATCH', '/api/rooms/watch/views/common', { video: { width: 640, height: 360, framerateHz: 30 } });
  await publish(browser, gateway);
  const { token, play } = await gateway.api<{ token: string; play: { rtsp: string } }>(
    'POST',
    '/api/rooms/watch/tokens',
    { user: 'watcher', role: 'viewer' },
  );
  peer = await startPeer(play.rtsp);
  const where = {
    ...{ gateway: gateway.url, token },
    peer: `http://127.0.0.1:${(peer.server.address() as AddressInfo).port}`,
  };
  const ways = Object.keys(players) as (keyof typeof players)[];
  const found = await Promise.all(
    ways.map(async (way) => [way, await sample(await watch(browser, way, where, gateway.url))] as const),
  );
  for (const [way, ages] of found) {
    const at = (share: number) => ages[Math.min(ages.length - 1, Math.floor(ages.length * share))] ?? Number.NaN;
    console.log(`${way}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, of ${ages.length} looks`);
  }
} finally {
  peer?.ffmpeg.kill('SIGKILL');
  peer?.server.close();
  peer?.server.closeAllConnections();
  await browser.close();
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
