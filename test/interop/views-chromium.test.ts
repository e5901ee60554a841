// A browser that takes the view of a room instead of its streams.
import { writeFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Room } from '#core/room.ts';
import { type CameraOptions, CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { ClientPage } from '#test/support/client-page.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { obsEncoding, openViewerPage, testInputs } from '#test/support/test-picture.ts';

const colors = { red: '#c02020', green: '#20a020', blue: '#2020c0', violet: '#a020a0' } as const;
let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let room: Room;
let encodedFrames = 0;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({ media: { workers: 2, maxLoadPercent: 100 } });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  expect(page.errors.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

async function openRoom(name: string): Promise<Room> {
  await gateway.api('POST', '/api/rooms', { name });
  room = await gateway.app.rooms.open(name);
  encodedFrames = 0;
  return room;
}

async function join(options: CameraOptions): Promise<CameraPeer> {
  const camera = await CameraPeer.join(room, { width: 640, height: 360, ...options });
  opened.push(camera);
  return camera;
}

async function play(options: Record<string, unknown> = {}): Promise<string> {
  const token = await gateway.token({ room: room.name, user: 'viewer', role: 'viewer' });
  const url = `${gateway.url}/whep/${room.name}/views/common`;
  const player = await page.call<{ handle: string; status: number; body: string }>('play', { url, token, ...options });
  expect(player.status, player.body).toBe(201);
  opened.push({ close: () => page.call('leave', { handle: player.handle, token: 'none' }) });
  return player.handle;
}

interface Place {
  readonly streamId: string;
  readonly place: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

const viewPath = () => `/api/rooms/${room.name}/views/common`;
const change = (body: object) => gateway.api('PATCH', viewPath(), body);

interface Look {
  readonly ok: boolean;
  readonly value: unknown;
}

const rgbOf = (color = '#000000') => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));

/**
 * Until the picture has at places of the API what they promise. Both are read anew each time: a change takes effect with
 * a picture a little after its answer, and what was read before is of the picture before.
 * @param promised what is to be seen where; undefined while the API does not say yet
 */
async function agrees(
  handle: string,
  promised: (
    inputs: readonly Partial<Place>[],
  ) => readonly { x: number; y: number; rgb: readonly number[] }[] | undefined,
): Promise<Place[]> {
  let last: object = {};
  const look = async () => {
    const { inputs } = await gateway.api<{ inputs: Place[] }>('GET', viewPath());
    const places = promised(inputs)?.map(({ x, y, rgb }) => ({ x: x / 1_280, y: y / 720, rgb }));
    const seen = places && (await page.call<Look>('colorsAt', { handle, places }));
    last = { inputs, places, seen };
    encodesOn();
    return seen?.ok && inputs;
  };
  return vi.waitUntil(look, { timeout: 60_000, interval: 50 }).catch((cause: unknown) => {
    throw new Error(`the view and the API do not agree: ${JSON.stringify(last)}`, { cause });
  });
}

/** Whose colour is where the API says that it is, below its number. */
const shows = (handle: string, cameras: readonly CameraPeer[], first?: object): Promise<Place[]> =>
  agrees(handle, (inputs) => {
    const isArranged = first === undefined || matches(inputs[0], first);
    if (!isArranged || inputs.length !== cameras.length) return undefined;
    const places = cameras.flatMap(({ publication, color }) => {
      const place = inputs.find(({ streamId }) => streamId === publication.id)?.place;
      return place ? [{ x: place.x + place.width / 2, y: place.y + place.height * 0.6, rgb: rgbOf(color) }] : [];
    });
    return places.length === cameras.length ? places : undefined;
  });

/** That there is one encoder, and always was: one that was made anew would count from nothing. */
function encodesOn(): void {
  const encoders = gateway.app.views.find(room.record, 'common')?.stats?.encoders ?? [];
  expect(encoders.length).toBeLessThan(2);
  const frames = encoders[0]?.frames ?? 0;
  expect(frames).toBeGreaterThanOrEqual(encodedFrames);
  encodedFrames = frames;
}

/** Whether a place has what is named of it. */
function matches(one: object | undefined, expected: object): boolean {
  try {
    expect(one).toMatchObject(expected);
    return true;
  } catch {
    return false;
  }
}

test.each(['video/VP8', 'video/H264', 'video/VP9'])(
  'a browser that takes %s sees each input and its counter where the API says, whatever happens',
  async (videoCodec) => {
    await openRoom(`view-${videoCodec.slice(6).toLowerCase()}`);
    // In one of them everybody glides.
    const transitionMs = videoCodec === 'video/H264' ? 300 : 0;
    await change({ hasLabels: false, hasSpeakerBorder: false, transitionMs });
    const red = await join({ name: 'red', color: colors.red });
    const handle = await play({ videoCodec });
    await shows(handle, [red]);
    await page.call('watchFrames', { handle });
    await page.call('countsOn', { handle, cells: [{ x: 0, y: 0, width: 1_280, height: 720 }], by: 60 });
    const green = await join({ name: 'green', color: colors.green, codec: 'vp8' });
    const blue = await join({ name: 'blue', color: colors.blue, codec: 'vp9' });
    const violet = await join({ name: 'violet', color: colors.violet });
    const all = [red, green, blue, violet];
    const inputs = await shows(handle, all);
    await page.call('countsOn', { handle, cells: inputs.map(({ place }) => place) });
    await change({ swap: [red.publication.id, violet.publication.id] });
    await shows(handle, all, { streamId: violet.publication.id });
    await change({ layout: { base: 'lecture' }, primary: blue.publication.id });
    await shows(handle, all, { streamId: blue.publication.id, place: { x: 0, y: 0, width: 848, height: 480 } });
    const halves = ['left', 'right'].map((id, n) => {
      return { id, area: { left: `${n}/2`, top: '0', width: '1/2', height: '1' } };
    });
    const quarters = ['3', '4'].map((id, n) => {
      return { id, area: { left: `${n}/4`, top: '3/4', width: '1/4', height: '1/4' } };
    });
    await change({ layout: { base: 'void', custom: [{ region: [...halves, ...quarters] }] } });
    // The lower quarters lie over the halves, below the place that is looked at.
    await shows(handle, all, { place: { x: 0, y: 0, width: 640, height: 720 } });
    await change({ layout: { base: 'share-first', custom: [] } });
    const screen = await join({
      ...{ name: 'screen', color: '#d0d020', source: 'screen' },
      ...{ width: 1_280, height: 720, framerateHz: 5 },
    });
    const isShared = { streamId: screen.publication.id, place: { x: 0, y: 0, width: 1_024, height: 720 } };
    await shows(handle, [...all, screen], isShared);
    await screen.close();
    await green.publication.setMuted(true, 'owner');
    await agrees(handle, (inputs) => {
      const place = inputs.find(({ streamId }) => streamId === green.publication.id)?.place;
      return place && [{ x: place.x + 20, y: place.y + 20, rgb: [32, 32, 34] }];
    });
    await green.publication.setMuted(false, 'owner');
    await green.close();
    await shows(handle, [red, blue, violet]);
    expect(await page.call<number>('framesShown', { handle })).toBeGreaterThan(30);
    // That it leaves no gap meanwhile test/integration/views.test.ts shows, without a browser that takes the machine.
    expect(encodedFrames).toBeGreaterThan(30);
  },
  120_000,
);

test('what a browser publishes in AV1 and in VP9 with spatial layers is seen in the view in its colour', async () => {
  await openRoom('view-svc');
  await change({ hasLabels: false, hasSpeakerBorder: false });
  const handle = await play();
  const publish = async (user: string, codec: string, color: string) => {
    const client = await ClientPage.join(browser, gateway, { room: room.name, user, role: 'presenter' });
    opened.push(client);
    await client.run(`(async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
      const drawing = canvas.getContext('2d');
      const draw = (n) => {
        drawing.fillStyle = '${color}';
        drawing.fillRect(0, 0, 1280, 720);
        drawing.fillStyle = 'white';
        drawing.fillRect((n * 16) % 1280, 0, 16, 16);
      };
      draw(0);
      setInterval(() => draw(Math.round(performance.now() / 33)), 33);
      await room.publish(canvas.captureStream(30).getVideoTracks()[0], { source: 'camera', codec: '${codec}' });
    })()`);
  };
  await Promise.all([publish('av1', 'av1', colors.blue), publish('svc', 'vp9', colors.red)]);
  const wanted = [
    ['video/AV1', [32, 32, 192]],
    ['video/VP9', [192, 32, 32]],
  ] as const;
  await agrees(handle, (inputs) => {
    const places = wanted.flatMap(([mimeType, rgb]) => {
      const source = [...room.publications()].find((one) => one.mimeType === mimeType && !one.participant.isHidden);
      const place = inputs.find(({ streamId }) => streamId === source?.id)?.place;
      return place ? [{ x: place.x + place.width / 2, y: place.y + place.height * 0.6, rgb }] : [];
    });
    return places.length === wanted.length ? places : undefined;
  });
  // Another format of it is made of its highest layer.
  const token = await gateway.token({ room: room.name, user: 'other', role: 'viewer' });
  for (const [mimeType, rgb] of wanted) {
    const source = [...room.publications()].find((one) => one.mimeType === mimeType && !one.participant.isHidden);
    const url = `${gateway.url}/whep/${room.name}/${source?.id}?codec=vp8`;
    const player = await page.call<{ handle: string; status: number; body: string }>('play', { url, token });
    expect(player.status, player.body).toBe(201);
    opened.push({ close: () => page.call('leave', { handle: player.handle, token: 'none' }) });
    await page.call('seesHeight', { handle: player.handle, height: 720 });
    await page.call('showsColors', { handle: player.handle, places: [{ x: 0.5, y: 0.6, rgb }] });
  }
}, 90_000);

test('sound and picture of a view are in step', async () => {
  await openRoom('view-sync');
  await change({ hasLabels: false, hasSpeakerBorder: false });
  const { key, url } = await gateway.api<{ key: string; url: string }>('POST', '/api/stream-keys', {
    room: room.name,
    protocol: 'rtmp',
    name: 'obs',
  });
  expect(url).toContain('rtmp://');
  const target = url.includes(key) ? url : `${url}/${key}`;
  const published = new Promise<void>((resolve) => {
    room.events.on('publicationAdded', ({ kind }) => kind === 'video' && resolve());
  });
  const encoder = new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(0), '-f', 'flv', target]);
  opened.push({ close: () => encoder.stop() });
  await published;
  const handle = await play();
  const { offsetsMs } = await page.call<{ offsetsMs: number[] }>('observe', {
    handle,
    withinMs: 60,
    timeoutMs: 45_000,
  });
  expect(offsetsMs.length).toBeGreaterThanOrEqual(5);
}, 120_000);

test('a room that is composed names its people in their own letters', async () => {
  await openRoom('view-names');
  const names = ['Zoë Ångström', 'محمد العربي', '王小明 محمد (Ada)', 'राम शर्मा ☺', '𝓓mitri Дмитрий', '김철수'];
  const hues = [...Object.values(colors), '#606060', '#208080'];
  for (const [index, displayName] of names.entries()) {
    await join({ name: `user${index}`, displayName, color: hues[index] ?? '' });
  }
  const handle = await play();
  const { inputs } = await gateway.api<{ inputs: { displayName: string }[] }>('GET', viewPath());
  expect(inputs.map(({ displayName }) => displayName)).toEqual(names);
  await page.call('countsOn', { handle, cells: [{ x: 0, y: 120, width: 432, height: 240 }] });
  const shot = await page.call<string>('screenshot', { handle });
  expect(shot.length).toBeGreaterThan(10_000);
  const file = process.env.VIEW_SCREENSHOT;
  if (file) await writeFile(file, Buffer.from(shot.split(',')[1] ?? '', 'base64'));
}, 60_000);
