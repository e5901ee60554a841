// A room that leaves as HLS and DASH by files: sent to an origin by PUT, and written into a folder. What ffmpeg decodes of
// them is looked at.
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StreamingOutResource } from '#api/contract.ts';
import { toYuv } from '#media/mixer/backdrop.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { encodeClip } from '#test/support/ffmpeg-clip.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { usualLevel } from '#test/support/tone.ts';
import { VoicePeer } from '#test/support/voice-peer.ts';

const color = '#20a020';
const toneHz = 440;
const path = '/api/rooms/demo/streaming-outs';

/** Takes what is PUT, gives it by GET, and remembers in which order it came. */
class Origin {
  readonly files = new Map<string, Buffer>();
  readonly log: string[] = [];
  readonly #server: Server;
  status = 201;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://origin');
      if (request.method === 'GET') {
        const file = this.files.get(pathname);
        response.writeHead(file ? 200 : 404).end(file);
        return;
      }
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
      if (searchParams.get('key') !== 'secret') response.statusCode = 403;
      else response.statusCode = this.status;
      if (response.statusCode < 300) {
        this.log.push(`${request.method} ${pathname}`);
        if (request.method === 'DELETE') this.files.delete(pathname);
        else this.files.set(pathname, body);
      }
      response.end();
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve));
  }

  url(name: string, key = 'secret'): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${name}?key=${key}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

let gateway: TestGateway;
let camera: CameraPeer;
let voice: VoicePeer;
let folder: string;
const origin = new Origin();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'egress-segments-'));
  await origin.listen();
  gateway = await startGateway({
    ...{ netPolicy: { allow: ['127.0.0.1'] }, media: { maxLoadPercent: 100 } },
    egress: { folders: [folder] },
  });
  const room = await gateway.app.rooms.open('demo');
  camera = await CameraPeer.join(room, { name: 'green', color });
  voice = await VoicePeer.join(room, { name: 'green', toneHz, participant: camera.participant });
});

afterAll(async () => {
  await voice?.close();
  await camera?.close();
  await gateway?.close();
  origin.close();
  rmSync(folder, { recursive: true, force: true });
});

const video = { width: 320, height: 180, framerateHz: 15, keyFrameIntervalS: 1 };
const segments = { durationS: 1, count: 2 };
const push = (input: Record<string, unknown>, waitS = 30) =>
  gateway.api<StreamingOutResource>('POST', `${path}?wait=${waitS}`, { video, segments, ...input }, 40_000);
const read = (id: string) => gateway.api<StreamingOutResource>('GET', `${path}/${id}`);

/** How far the middle of the last picture is from what was sent, and how loud the tone is. */
async function contentOf(input: string): Promise<{ readonly far: number; readonly tone: number }> {
  const pixels = await encodeClip('-i', input, '-t', '2', '-vf', 'crop=2:2,format=yuv420p', '-f', 'rawvideo');
  const wanted = toYuv(color);
  const far = Math.max(Math.abs((pixels.at(-6) ?? 0) - wanted.y), Math.abs((pixels.at(-2) ?? 0) - wanted.u));
  const sound = await encodeClip('-i', input, '-t', '2', '-vn', '-ac', '1', '-ar', '48000', '-f', 's16le');
  const samples = new Int16Array(sound.buffer, sound.byteOffset, sound.length >> 1);
  return { far, tone: usualLevel(samples, toneHz, 48_000) };
}

/** The playlist goes on: sound of a room that has just begun comes a moment later. */
async function assertContent(input: string): Promise<void> {
  const isRight = async () => {
    const { far, tone } = await contentOf(input);
    return far < 12 && tone > -30;
  };
  await expect.poll(isRight, { timeout: 30_000, interval: 500 }).toBe(true);
}

test('HLS and DASH to an origin, and HLS into a folder, from one encode; playlists after segments, old ones gone', async () => {
  const made = await push({
    urls: [...[origin.url('/hls/index.m3u8'), origin.url('/dash/live.mpd')], `file://${folder}/live/room/index.m3u8`],
  });
  expect(JSON.stringify(made)).not.toContain('secret');
  await expect
    .poll(() => origin.log.some((line) => line.startsWith('DELETE /hls/video-')), { timeout: 40_000 })
    .toBe(true);
  expect((await read(made.id)).targets.map(({ state }) => state)).toEqual(['live', 'live', 'live']);
  await assertContent(origin.url('/hls/index.m3u8'));
  await assertContent(origin.url('/dash/live.mpd'));
  await assertContent(join(folder, 'live/room/index.m3u8'));
  // Whatever a playlist named was there before it.
  const playlist = origin.files.get('/hls/video.m3u8')?.toString() ?? '';
  expect(playlist).not.toMatch(/PART|SERVER-CONTROL|PRELOAD/);
  const named = [...playlist.matchAll(/^video-\d+\.m4s$/gm)].map(([name]) => `PUT /hls/${name}`);
  const lastPlaylist = origin.log.lastIndexOf('PUT /hls/video.m3u8');
  expect(named.length).toBeGreaterThanOrEqual(2);
  for (const name of named) expect(origin.log.indexOf(name)).toBeLessThan(lastPlaylist);
  await gateway.api('DELETE', `${path}/${made.id}`);
  await expect.poll(() => origin.files.get('/hls/video.m3u8')?.toString()).toContain('#EXT-X-ENDLIST');
  expect(readFileSync(join(folder, 'live/room/video.m3u8'), 'utf8')).toContain('#EXT-X-ENDLIST');
  expect(readdirSync(join(folder, 'live/room')).filter((name) => /^video-\d+\.m4s$/.test(name)).length).toBeLessThan(8);
}, 90_000);

test('an origin that fails is tried again and goes on with later numbers; one that refuses says so', async () => {
  const made = await push({ urls: [origin.url('/again/index.m3u8'), origin.url('/refused/index.m3u8', 'wrong')] });
  const stateOf = async (at: number) => (await read(made.id)).targets[at];
  await expect.poll(() => stateOf(0), { timeout: 20_000 }).toMatchObject({ state: 'live' });
  await expect
    .poll(() => stateOf(1), { timeout: 20_000 })
    .toMatchObject({ state: 'reconnecting', reason: 'target_refused' });
  const firstOf = () =>
    Number(/MEDIA-SEQUENCE:(\d+)/.exec(origin.files.get('/again/video.m3u8')?.toString() ?? '')?.[1]);
  await expect.poll(firstOf, { timeout: 20_000 }).toBeGreaterThan(0);
  const before = firstOf();
  origin.status = 500;
  await expect
    .poll(() => stateOf(0), { timeout: 20_000 })
    .toMatchObject({ state: 'reconnecting', reason: 'target_lost' });
  origin.status = 201;
  await expect.poll(() => stateOf(0), { timeout: 30_000 }).toMatchObject({ state: 'live' });
  await expect.poll(firstOf, { timeout: 20_000 }).toBeGreaterThan(before);
  await gateway.api('DELETE', `${path}/${made.id}`);
}, 120_000);

test('a folder that is not allowed, by its name or by a link, and an address without a playlist are refused', async () => {
  await expect(push({ url: 'file:///etc/live/index.m3u8' })).rejects.toThrow(/403.*egress\.folders/);
  await expect(push({ url: `file://${folder}/../other/index.m3u8` })).rejects.toThrow(/403/);
  await expect(push({ url: origin.url('/hls/') })).rejects.toThrow(/400.*playlist/);
  const outside = mkdtempSync(join(tmpdir(), 'outside-'));
  symlinkSync(outside, join(folder, 'link'));
  const made = await push({ url: `file://${folder}/link/deep/index.m3u8` }, 0);
  await expect
    .poll(() => read(made.id), { timeout: 20_000 })
    .toMatchObject({ state: 'reconnecting', targets: [{ reason: 'target_refused' }] });
  expect(readdirSync(outside)).toEqual([]);
  await gateway.api('DELETE', `${path}/${made.id}`);
  rmSync(outside, { recursive: true });
}, 60_000);
