// A browser that takes somebody's stream in a format of its own.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { PublicationId } from '#core/ids.ts';
import type { Room } from '#core/room.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { ClientPage } from '#test/support/client-page.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { SignallingPeer } from '#test/support/signalling-peer.ts';
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
  await gateway.api('POST', '/api/rooms', { name: 'formats' });
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
  const url = `${gateway.url}/whep/${room.name}/${camera.publication.id}?${query}`;
  const player = await page.call<Player>('play', { url, token, kinds: ['video'] });
  if (player.status === 201) {
    opened.push({ close: () => page.call('leave', { handle: player.handle, token: 'none' }) });
  }
  return player;
}

const codecOf = async ({ handle }: Player) => (await page.call<string[]>('videoCodecs', { handle })).join();

async function metrics(): Promise<string> {
  const headers = { authorization: `Bearer ${adminKey}` };
  return (await fetch(`${gateway.url}/metrics`, { headers })).text();
}

async function encoders(count: number): Promise<void> {
  const line = `switchyard_transcode_encoders{room="formats",stream="${camera.publication.id}"} ${count}`;
  await vi.waitUntil(async () => (await metrics()).includes(line), { timeout: 20_000, interval: 200 });
}

test('VP8 is seen as H264 at half the size and 10 pictures a second; two equal ones cost one encoder, a third another', async () => {
  const query = 'codec=h264&resolution=x1/2&framerate=10';
  const first = await play(query);
  expect(first.status, first.body).toBe(201);
  await page.call('seesHeight', { handle: first.handle, height: 180 });
  await page.call('sees', { handle: first.handle, color: 'red' });
  expect(await codecOf(first)).toBe('video/H264');
  await encoders(1);
  const second = await play(query);
  await page.call('seesHeight', { handle: second.handle, height: 180 });
  await encoders(1);
  const third = await play('resolution=x3/4');
  await page.call('seesHeight', { handle: third.handle, height: 270 });
  expect(await codecOf(third)).toBe('video/VP8');
  await encoders(2);
  const [before, beforeMs] = [await page.call<number>('frames', { handle: first.handle }), performance.now()];
  await page.call('keepsPlaying', { handle: first.handle, frameCount: 10 });
  const shown = (await page.call<number>('frames', { handle: first.handle })) - before;
  // Ten a second; what waited on its way may come at once.
  expect(shown).toBeLessThan(((performance.now() - beforeMs) / 1_000) * 12 + 8);
}, 90_000);

test('a format changes live on the same session, and what cannot be had leaves it as it was, with the reason', async () => {
  const player = await play('resolution=x1/2');
  expect(player.status, player.body).toBe(201);
  await page.call('seesHeight', { handle: player.handle, height: 180 });
  const patch = (body: object) =>
    fetch(player.location, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await patch({ resolution: 'x1/4', bitrate: 'x0.8' })).status).toBe(204);
  await page.call('seesHeight', { handle: player.handle, height: 90 });
  const refused = await patch({ resolution: 'hd1080p' });
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain('format.resolution');
  const another = await patch({ codec: 'h264' });
  expect(another.status).toBe(422);
  await page.call('keepsPlaying', { handle: player.handle });
  await page.call('seesHeight', { handle: player.handle, height: 90 });
  // The room says what may be asked for, to those who come from now on.
  const mediaOut = { video: { format: ['vp8'], parameters: { resolution: ['x1/2'] } } };
  await gateway.api('PATCH', `/api/rooms/${room.name}`, { mediaOut });
  expect((await play('resolution=x3/4')).status).toBe(400);
  await gateway.api('PATCH', `/api/rooms/${room.name}`, { mediaOut: null });
}, 60_000);

test('over signalling the answer is a publication to subscribe to, which changes and ends on request', async () => {
  const token = await gateway.token({ room: room.name, user: 'caller', role: 'viewer' });
  const { peer } = await SignallingPeer.join(gateway.webSocketUrl, { room: room.name, token });
  opened.push({ close: () => peer.socket.close() });
  // Its job runs: what follows is quick.
  expect((await play('resolution=x1/2')).status).toBe(201);
  const publicationId = camera.publication.id;
  const { publication } = await peer.request('openTranscoded', { publicationId, format: { resolution: 'x1/2' } });
  expect(publication.mimeType).toBe('video/VP8');
  await encoders(1);
  await peer.request('changeTranscoded', { publicationId: publication.id, format: { framerate: 5 } });
  const wrong = peer.request('changeTranscoded', { publicationId: publication.id, format: { resolution: 'x9/1' } });
  await expect(wrong).rejects.toMatchObject({ code: 'invalid_request' });
  expect(room.findPublication(publication.id as PublicationId)?.isClosed).toBe(false);
  await peer.request('closeTranscoded', { publicationId: publication.id });
  const again = peer.request('changeTranscoded', { publicationId: publication.id, format: {} });
  await expect(again).rejects.toMatchObject({ code: 'not_found' });
}, 60_000);

interface Received {
  readonly id: string;
  readonly mimeType: string;
  readonly canChangeFormat: boolean;
  readonly format: { readonly resolution?: string } | null;
}

test('a subscription of the client library takes other formats live, its own or the API’s, and keeps what it had when one is refused', async () => {
  const client = await ClientPage.join(browser, gateway, { room: room.name, user: 'ada', role: 'viewer' });
  opened.push(client);
  const id = camera.publication.id;
  const sees = (height: number, mimeType = 'video/VP8') =>
    client.until(`(async () => {
      const { track, subscriptionId } = room.state.value.subscriptions.get('${id}') ?? {};
      if (!track) return false;
      globalThis.first ??= subscriptionId;
      globalThis.element ??= Object.assign(document.createElement('video'), { muted: true, autoplay: true });
      if (element.srcObject?.getTracks()[0] !== track) element.srcObject = new MediaStream([track]);
      const { received } = await room.sampleStats();
      const isAsWanted = received.some((one) => one.heightPx === ${height} && one.mimeType === '${mimeType}');
      return subscriptionId === first && element.videoHeight === ${height} && isAsWanted;
    })()`);
  const refusal = (format: string) =>
    client.run<string>(`room.setFormat('${id}', ${format}).then(() => 'none', ({ code }) => code)`);
  await sees(360);
  expect(await refusal(`{ resolution: 'x1/2' }`)).toBe('none');
  await sees(180);
  await encoders(1);
  expect(await refusal(`{ resolution: 'x9/1' }`)).toBe('invalid_request');
  await sees(180);
  expect(await refusal(`{ codec: 'h264', resolution: 'x1/4', framerate: 10 }`)).toBe('none');
  await sees(90, 'video/H264');
  const path = `/api/rooms/${room.name}/subscriptions`;
  const { items } = await gateway.api<{ items: Received[] }>('GET', `${path}?stream=${id}&kind=video`);
  expect(items).toMatchObject([{ canChangeFormat: true, mimeType: 'video/H264', format: { resolution: 'x1/4' } }]);
  const patched = await gateway.api<Received>('PATCH', `${path}/${items[0]?.id}`, { format: { resolution: 'x3/4' } });
  expect(patched.format).toEqual({ codec: 'h264', resolution: 'x3/4', framerate: 10 });
  await sees(270, 'video/H264');
  expect(await client.run(`room.state.value.subscriptions.get('${id}').format.resolution`)).toBe('x3/4');
  const wrong = gateway.api('PATCH', `${path}/${items[0]?.id}`, { format: { resolution: 'hd1080p' } });
  await expect(wrong).rejects.toThrow(/format\.resolution/);
  await sees(270, 'video/H264');
  expect(await refusal('null')).toBe('none');
  await sees(360);
}, 90_000);

test('the encoders are gone with their last player, and it all is back after the media worker was killed', async () => {
  const player = await play('resolution=x1/2');
  expect(player.status, player.body).toBe(201);
  await page.call('seesHeight', { handle: player.handle, height: 180 });
  await encoders(1);
  const [job] = [...gateway.app.media.jobs.values()].filter(({ spec }) => spec.kind === 'transcode');
  process.kill(job?.workerPid ?? 0, 'SIGKILL');
  camera.setColor('#1e1edc');
  await page.call('sees', { handle: player.handle, color: 'blue' });
  await opened.pop()?.close();
  const isGone = async () => !(await metrics()).includes('switchyard_transcode_encoders{');
  await vi.waitUntil(isGone, { timeout: 30_000, interval: 500 });
}, 60_000);
