// A browser that takes a view in a format of its own.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Room } from '#core/room.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { ClientPage } from '#test/support/client-page.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { openViewerPage } from '#test/support/test-picture.ts';

let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let room: Room;
let camera: CameraPeer;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({ media: { workers: 1, maxLoadPercent: 100 } });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
  const look = { hasLabels: false, hasSpeakerBorder: false };
  await gateway.api('POST', '/api/rooms', { name: 'formats', views: [{ name: 'common', ...look }] });
  room = await gateway.app.rooms.open('formats');
  camera = await CameraPeer.join(room, { name: 'red', color: '#dc1e1e', codec: 'vp8', width: 640, height: 360 });
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  expect(page.errors.splice(0)).toEqual([]);
});

afterAll(async () => {
  await camera?.close();
  await browser?.close();
  await gateway?.close();
});

interface Player {
  readonly handle: string;
  readonly status: number;
  readonly body: string;
  readonly location: string;
}

async function play(query: string): Promise<Player> {
  const token = await gateway.token({ room: room.name, user: 'viewer', role: 'viewer' });
  const url = `${gateway.url}/whep/${room.name}/views/common${query}`;
  const player = await page.call<Player>('play', { url, token, kinds: ['video'] });
  if (player.status === 201) opened.push({ close: () => page.call('leave', { handle: player.handle, token: 'none' }) });
  return player;
}

/** @param codec not said after a change: Chromium's figures name the one that the session began with */
const sees = async ({ handle }: Player, height: number, codec?: string) => {
  await page.call('seesHeight', { handle, height });
  await page.call('showsColors', { handle, places: [{ x: 0.5, y: 0.6, rgb: [220, 30, 30] }] });
  if (!codec) return;
  const codecs = () => page.call<string[]>('videoCodecs', { handle });
  await vi.waitUntil(async () => (await codecs()).includes(codec), { timeout: 20_000, interval: 100 });
};

/** Those of the view, by their sizes. */
async function encoders(...sizes: string[]): Promise<void> {
  const made = () => gateway.app.views.find(room.record, 'common')?.stats?.encoders ?? [];
  const isSo = () =>
    made()
      .map(({ codec, height }) => `${codec} ${height}`)
      .sort()
      .join() === sizes.sort().join();
  await vi.waitUntil(isSo, { timeout: 20_000, interval: 100 });
}

test('players name a format in the query and change it by PATCH, and equal ones cost one encoder', async () => {
  const query = '?codec=h264&resolution=x1/2&framerate=10';
  const first = await play(query);
  expect(first.status, first.body).toBe(201);
  await sees(first, 360, 'video/H264');
  const second = await play(query);
  await sees(second, 360, 'video/H264');
  await encoders('h264 360');
  expect((await play('?resolution=hd1080p')).status).toBe(400);
  const patch = (player: Player, body: object) =>
    fetch(player.location, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await patch(second, { resolution: 'x1/4' })).status).toBe(204);
  await sees(second, 180, 'video/H264');
  await encoders('h264 180', 'h264 360');
  // What was not named is as it was asked for at first.
  const made = gateway.app.views.find(room.record, 'common')?.stats?.encoders ?? [];
  expect(made.map(({ framerateHz }) => framerateHz)).toEqual([10, 10]);
  // Another codec is another stream on the same session.
  expect((await patch(second, { codec: 'vp8', resolution: 'x3/4', bitrate: 'x0.8' })).status).toBe(204);
  await sees(second, 540);
  await encoders('h264 360', 'vp8 540');
  const refused = await patch(second, { resolution: 'x9/1' });
  expect(await refused.text()).toContain('format.resolution');
  await page.call('keepsPlaying', { handle: second.handle });
  // One who named none can do so later.
  const plain = await play('');
  await sees(plain, 720, 'video/VP8');
  expect((await patch(plain, { resolution: 'x1/2' })).status).toBe(204);
  await sees(plain, 360, 'video/VP8');
  await encoders('h264 360', 'vp8 360', 'vp8 540');
  // Parts of a view are parts of what it is now.
  const common = `/api/rooms/${room.name}/views/common`;
  await gateway.api('PATCH', common, { video: { width: 640, height: 360 } });
  await sees(plain, 180, 'video/VP8');
  await sees(first, 180, 'video/H264');
  await gateway.api('PATCH', common, { video: { width: 1_280, height: 720 } });
  await sees(plain, 360, 'video/VP8');
}, 120_000);

interface Received {
  readonly id: string;
  readonly mimeType: string;
  readonly canChangeFormat: boolean;
  readonly format: { readonly resolution?: string } | null;
}

test('a subscription of the client library takes a view in another format live, and what nobody is sent is not encoded', async () => {
  const client = await ClientPage.join(browser, gateway, {
    ...{ room: room.name, user: 'ada', role: 'viewer' },
    connection: `{ view: 'common' }`,
  });
  opened.push(client);
  const sees = (height: number, mimeType = 'video/VP8') =>
    client.until(`(async () => {
      const { track } = room.state.value.subscriptions.get(room.state.value.viewPublicationId) ?? {};
      if (!track) return false;
      globalThis.element ??= Object.assign(document.createElement('video'), { muted: true, autoplay: true });
      if (element.srcObject?.getTracks()[0] !== track) element.srcObject = new MediaStream([track]);
      const { received } = await room.sampleStats();
      const isAsWanted = received.some((one) => one.heightPx === ${height} && one.mimeType === '${mimeType}');
      return element.videoHeight === ${height} && isAsWanted;
    })()`);
  const refusal = (format: string) =>
    client.run<string>(
      `room.setFormat(room.state.value.viewPublicationId, ${format}).then(() => 'none', ({ code }) => code)`,
    );
  await sees(720);
  await encoders('vp8 720');
  expect(await refusal(`{ resolution: 'x1/2' }`)).toBe('none');
  await sees(360);
  await encoders('vp8 360');
  expect(await refusal(`{ resolution: 'x9/1' }`)).toBe('invalid_request');
  expect(await refusal(`{ codec: 'h264', framerate: 10, keyFrameInterval: 2 }`)).toBe('none');
  await sees(720, 'video/H264');
  const path = `/api/rooms/${room.name}/subscriptions`;
  const { items } = await gateway.api<{ items: Received[] }>('GET', `${path}?kind=video`);
  expect(items).toMatchObject([{ canChangeFormat: true, mimeType: 'video/H264', format: { framerate: 10 } }]);
  const format = { resolution: 'x1/4', framerate: null };
  const patched = await gateway.api<Received>('PATCH', `${path}/${items[0]?.id}`, { format });
  expect(patched.format).toEqual({ codec: 'h264', resolution: 'x1/4', keyFrameInterval: 2 });
  await sees(180, 'video/H264');
  // Somebody who takes it as it is has it made again, for as long as he does.
  const plain = await play('');
  await page.call('seesHeight', { handle: plain.handle, height: 720 });
  await encoders('h264 180', 'vp8 720');
  await opened.pop()?.close();
  await encoders('h264 180');
  expect(await refusal('null')).toBe('none');
  await sees(720);
  await encoders('vp8 720');
}, 120_000);

test('a player gets and loses what its view does, in the format it asked for, and is let go when that is deleted', async () => {
  const views = `/api/rooms/${room.name}/views`;
  await gateway.api('POST', views, { name: 'parts', hasLabels: false, hasSpeakerBorder: false });
  const token = await gateway.token({ room: room.name, user: 'viewer', role: 'viewer' });
  const url = `${gateway.url}/whep/${room.name}/views/parts?resolution=x1/2`;
  const player = await page.call<Player>('play', { url, token });
  expect(player.status, player.body).toBe(201);
  opened.push({ close: () => page.call('leave', { handle: player.handle, token: 'none' }) });
  await sees(player, 360);
  const receives = async (...kinds: string[]) => {
    const path = `/api/rooms/${room.name}/subscriptions`;
    const received = () => gateway.api<{ items: { kind: string; user: string }[] }>('GET', path);
    const isSo = async () =>
      (await received()).items
        // Whoever has just gone without a word is waited for.
        .filter(({ user }) => user === 'viewer')
        .map(({ kind }) => kind)
        .sort()
        .join() === kinds.join();
    await vi.waitUntil(isSo, { timeout: 20_000, interval: 100 });
  };
  const change = (parts: object) => gateway.api('PATCH', `${views}/parts`, parts);
  await receives('audio', 'video');
  await change({ hasVideo: false });
  await receives('audio');
  await change({ hasVideo: true, hasAudio: false });
  await receives('video');
  await page.call('keepsPlaying', { handle: player.handle });
  await sees(player, 360);
  await change({ hasAudio: true });
  await receives('audio', 'video');
  // What ends by itself is asked for again.
  await gateway.app.views.find(room.record, 'parts')?.close('failed');
  await receives('audio');
  await receives('audio', 'video');
  await gateway.api('DELETE', `${views}/parts`);
  await receives();
  expect((await fetch(player.location, { method: 'DELETE' })).status).toBe(404);
}, 90_000);
