import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { ClientPage } from '../support/client-page.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
let room: string;
const pages: ClientPage[] = [];

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

beforeEach(async () => {
  room = await freshRoom(gateway);
});

afterEach(async () => {
  const errors = pages.flatMap((page) => page.errors);
  await Promise.all(pages.splice(0).map((page) => page.close()));
  expect(errors).toEqual([]);
});

async function join(user: string, options: { role?: string; connection?: string } = {}): Promise<ClientPage> {
  const page = await ClientPage.join(browser, gateway, { room, user, ...options });
  pages.push(page);
  return page;
}

const publishCamera = (page: ClientPage, options = '{}') =>
  page.run(`(async () => {
    globalThis.camera = await room.publish(await client.openCamera(), { source: 'camera', ...(${options}) });
  })()`);

/** Received video, as the browser counts it. */
const receivedVideo = `(async () => (await room.sampleStats()).received.find((stream) => stream.kind === 'video'))()`;

const decodes = (page: ClientPage) => page.until(`(async () => (await ${receivedVideo})?.frameCount > 10)()`);

const killMedia = async () => {
  const { sfuWorkers } = await gateway.api<{ sfuWorkers: { pid: number }[] }>('GET', '/api/server');
  for (const { pid } of sfuWorkers) process.kill(pid, 'SIGKILL');
};

test.each([
  ['vp8', 'video/VP8', 3],
  ['h264', 'video/H264', 3],
  ['vp9', 'video/VP9', 1],
  ['av1', 'video/AV1', 1],
])('a camera in %s is decoded by the other side', async (codec, mimeType, encodingCount) => {
  const [ada, grace] = await Promise.all([join('Ada'), join('Grace')]);
  await publishCamera(ada, `{ codec: '${codec}' }`);
  await decodes(grace);
  expect((await grace.run<{ mimeType: string }>(receivedVideo)).mimeType).toBe(mimeType);
  const publications = await grace.run<{ mimeType: string; encodingCount: number }[]>(
    'room.others.flatMap((participant) => participant.publications)',
  );
  expect(publications).toMatchObject([{ mimeType, encodingCount }]);
});

test.each(['vp8', 'vp9'])('layers of %s are chosen by name, and seen in the height that arrives', async (codec) => {
  const [ada, grace] = await Promise.all([join('Ada'), join('Grace')]);
  await publishCamera(ada, `{ codec: '${codec}' }`);
  await grace.until('room.state.value.subscriptions.size === 1');
  const id = await grace.run<string>('[...room.state.value.subscriptions.keys()][0]');
  const arrives = (height: number) => grace.until(`(async () => (await ${receivedVideo})?.heightPx === ${height})()`);
  await grace.run(`room.setPreferredLayers('${id}', { spatialLayer: 0 })`);
  await arrives(180);
  await grace.run(`room.setPreferredLayers('${id}', { spatialLayer: 2 })`);
  await arrives(720);
  await grace.run(
    `room.setPreferredLayers('${id}', undefined), room.setView('${id}', { isVisible: true, heightPx: 300 })`,
  );
  await arrives(360);
});

test('nothing is received that was not asked for, and single publications can be', async () => {
  const ada = await join('Ada');
  const grace = await join('Grace', { connection: `{ autoSubscribe: ({ kind }) => kind === 'audio' }` });
  await publishCamera(ada);
  await ada.run(`client.openMicrophone().then((track) => room.publish(track, { source: 'microphone' }))`);
  await grace.until('room.state.value.subscriptions.size === 1');
  expect(await grace.run('[...room.state.value.subscriptions.values()].map(({ kind }) => kind)')).toEqual(['audio']);
});

test('data goes to those who subscribed to its label, and on after the media worker died', async () => {
  const [ada, grace, joan] = await Promise.all([join('Ada'), join('Grace'), join('Joan')]);
  await grace.run(`room.subscribeData('cursor')`);
  await ada.run(`(async () => { globalThis.cursor = await room.publishData({ label: 'cursor' }); })()`);
  // A receiver that comes to the channel later misses what was sent before: the sender repeats itself.
  const getsThrough = async (text: string) => {
    await ada.run(`(globalThis.timer = setInterval(() => cursor.isOpen && cursor.send('${text}'), 50), undefined)`);
    await grace.until(`received.some(({ label, data }) => label === 'cursor' && data === '${text}')`);
    await ada.run('clearInterval(timer)');
  };
  await getsThrough('first');
  await killMedia();
  await getsThrough('second');
  expect(await joan.run('received.length')).toBe(0);
  await ada.run('cursor.close()');
  await grace.until('room.others.every(({ dataPublications }) => dataPublications.length === 0)');
});

test('a publication nobody receives stops sending without ending, and starts for whoever comes', async () => {
  const ada = await join('Ada');
  await publishCamera(ada);
  const view = `[...room.state.value.local.values()][0]`;
  await ada.until(`${view}.isWatched === false`);
  const id = await ada.run<string>(`${view}.publicationId`);
  const framesSent = `(async () => (await room.sampleStats()).sent[0]?.frameCount ?? 0)()`;
  await ada.until(`(async () => {
    const before = await ${framesSent};
    await new Promise((resolve) => setTimeout(resolve, 400));
    return (await ${framesSent}) === before;
  })()`);
  const grace = await join('Grace');
  await decodes(grace);
  expect(await ada.run(`${view}.publicationId`)).toBe(id);
});

test('a refused publication is an error with the server’s code, and leaves nothing behind', async () => {
  const viewer = await join('Viewer', { role: 'viewer' });
  const refused = await viewer.run<string>(`
    client.openCamera().then((track) => room.publish(track, { source: 'camera' })).then(() => 'done', (e) => e.code)
  `);
  expect(refused).toBe('forbidden');
  expect(await viewer.run('room.state.value.local.size')).toBe(0);
});

test('a request that cannot be answered ends with its reason and not never', async () => {
  const ada = await join('Ada');
  const code = (expression: string) => ada.run<string>(`${expression}.then(() => 'done', (error) => error.code)`);
  expect(await code(`room.chat('hello', 'PA_nobody')`)).toBe('not_found');
  expect(await code(`room.chat('x'.repeat(5_000))`)).toBe('invalid_request');
  await ada.run('room.leave()');
  expect(await code(`room.chat('after all')`)).toBe('closed');
  expect(await code('room.join()')).toBe('conflict');
});

test('last-N holds back who has not spoken, says so, and lets a pinned one through', async () => {
  await gateway.api('PATCH', `/api/rooms/${room}`, { lastN: 1 });
  const [ada, grace, joan] = await Promise.all([join('Ada'), join('Grace'), join('Joan')]);
  await Promise.all([publishCamera(grace), publishCamera(joan)]);
  await ada.until('room.state.value.subscriptions.size === 2');
  const held = `[...room.state.value.subscriptions.values()].filter(({ isHeldBack }) => isHeldBack)`;
  await ada.until(`${held}.length === 1`);
  await ada.run(`room.setPinned(${held}[0].publicationId, true)`);
  await ada.until(`${held}.length === 0`);
});

test('statistics tell bitrate, codec, size and path of what is sent and received', async () => {
  const [ada, grace] = await Promise.all([join('Ada'), join('Grace')]);
  await publishCamera(ada);
  await decodes(grace);
  await ada.until(`(async () => (await room.sampleStats()).sent[0]?.bitrateBps > 50_000)()`);
  await grace.until(`(async () => (await ${receivedVideo}).bitrateBps > 50_000)()`);
  expect(await grace.run('room.sampleStats()')).toMatchObject({
    path: 'udp',
    received: [{ kind: 'video', mimeType: 'video/VP8', freezeCount: expect.any(Number) }],
  });
});

test('attributes and name are seen by the others', async () => {
  const [ada, grace] = await Promise.all([join('Ada'), join('Grace')]);
  await ada.run(`room.setAttributes({ seat: '12' })`);
  await ada.run(`room.setDisplayName('Countess')`);
  await grace.until(`room.others.some((p) => p.displayName === 'Countess' && p.attributes.seat === '12')`);
});
