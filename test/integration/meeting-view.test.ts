import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CameraPeer } from '../support/camera-peer.ts';
import { launchChromium } from '../support/chromium.ts';
import { colorsOfHalves } from '../support/colors-of-halves.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';
import { plainPng } from '../support/png.ts';

let gateway: TestGateway;
let browser: Browser;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway({ media: { maxLoadPercent: 100 } }), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

const halves = colorsOfHalves('[data-testid=room-view]');

/** A browser that joins, a media worker that starts and an encoder: longer than other waits where the machine is busy. */
const shows = (peer: MeetingPeer, expected: string) =>
  vi.waitUntil(async () => (await peer.page.evaluate(halves)) === expected, { timeout: 60_000, interval: 200 });

test('with ?mode=mcu a page takes one picture of the whole room, and gets it back after its media worker died', async () => {
  const name = await freshRoom(gateway);
  const room = await gateway.app.rooms.open(name);
  const size = { width: 640, height: 360 };
  const cameras = [
    await CameraPeer.join(room, { name: 'red', color: '#c02020', isGrainy: true, ...size }),
    await CameraPeer.join(room, { name: 'blue', color: '#2020c0', isGrainy: true, ...size }),
  ];
  const quiet = { isCameraOn: false, isMicrophoneOn: false, role: 'moderator' };
  const ada = await MeetingPeer.join(browser, gateway, { room: name, name: 'Ada', search: '?mode=mcu', ...quiet });
  await shows(ada, 'red,blue');
  const videos = await ada.page.evaluate(
    `[...switchyard.state.value.subscriptions.values()].filter(({ kind }) => kind === 'video').length`,
  );
  expect(videos).toBe(1);
  const place = `switchyard.state.value.viewArrangement.inputs[0].place`;
  expect(await ada.page.evaluate(place)).toMatchObject({ x: 0, width: 640 });
  await ada.page.keyboard.press('p');
  await ada.page.locator('[data-testid=person][data-name=blue]').getByTestId('person-menu').click();
  await ada.at('show-first').click();
  await shows(ada, 'blue,red');
  await ada.page.locator('[data-testid=person][data-name=red]').getByTestId('person-menu').click();
  await ada.at('show-first').click();
  await shows(ada, 'red,blue');
  const view = gateway.app.views.find(room.record, 'common');
  process.kill(view?.job?.workerPid ?? 0, 'SIGKILL');
  cameras[0]?.setColor('#2020c0');
  cameras[1]?.setColor('#c02020');
  await shows(ada, 'blue,red');

  // What she can take is capped, as a thin line would: the encoder follows, and is free again when she leaves.
  const full = view?.stats?.encoders[0]?.bitrateBps ?? 0;
  expect(full).toBeGreaterThan(0);
  const [participant] = [...room.participants.values()].filter(({ displayName }) => displayName === 'Ada');
  const cap = (bps: number) =>
    Promise.all([...(participant?.transports.values() ?? [])].map((transport) => transport.setMaxOutgoingBitrate(bps)));
  const spends = (isRight: (bps: number) => boolean) =>
    vi.waitUntil(() => view?.stats?.encoders.some(({ bitrateBps }) => isRight(bitrateBps)), { timeout: 60_000 });
  await spends((bps) => bps === full);
  await cap(Math.round(full * 0.6));
  await spends((bps) => bps < full * 0.6);
  await shows(ada, 'blue,red');
  const kept = await view?.open({ codec: view.stats?.encoders[0]?.codec });
  await ada.close();
  await spends((bps) => bps === full);
  kept?.close();
  await view?.done;
  for (const camera of cameras) await camera.close();
  expect(ada.errors).toEqual([]);
}, 180_000);

test('a page that cannot have the picture of the room says why, and takes it once it can', async () => {
  const name = await freshRoom(gateway);
  await gateway.api('PATCH', `/api/rooms/${name}`, { views: [] });
  const room = await gateway.app.rooms.open(name);
  const red = await CameraPeer.join(room, { name: 'red', color: '#c02020', width: 640, height: 360 });
  const quiet = { isCameraOn: false, isMicrophoneOn: false };
  const ada = await MeetingPeer.join(browser, gateway, { room: name, name: 'Ada', search: '?mode=mcu', ...quiet });
  const problem = () => ada.at('view-problem').textContent();
  await vi.waitUntil(async () => (await problem())?.includes(`has no view "common"`), { timeout: 40_000 });
  await gateway.api('POST', `/api/rooms/${name}/views`, { name: 'common', hasVideo: false });
  await vi.waitUntil(async () => (await problem())?.includes('has sound only'), { timeout: 40_000 });
  await gateway.api('PATCH', `/api/rooms/${name}/views/common`, { hasVideo: true });
  await shows(ada, 'red,red');
  await gateway.api('DELETE', `/api/rooms/${name}/views/common`);
  await vi.waitUntil(async () => (await problem())?.includes(`has no view "common"`), { timeout: 40_000 });
  await ada.close();
  await red.close();
  expect(ada.errors).toEqual([]);
}, 120_000);

test('an avatar is seen in the tile and in the view, whoever gave it, and initials once it is taken away', async () => {
  const name = await freshRoom(gateway);
  const room = await gateway.app.rooms.open(name);
  const size = { width: 640, height: 360 };
  const red = await CameraPeer.join(room, { name: 'red', color: '#c02020', ...size });
  // A name whose initials stand on green.
  const grey = await CameraPeer.join(room, { name: 'mute', color: '#808080', ...size });
  await grey.publication.setMuted(true, 'owner');
  const path = `/api/rooms/${name}/participants/${grey.participant.id}`;
  const image = plainPng(64, [32, 32, 192]).toString('base64');
  await gateway.api('PUT', `${path}/avatar`, { image });
  const quiet = { isCameraOn: false, isMicrophoneOn: false, role: 'viewer' };
  const watcher = await MeetingPeer.join(browser, gateway, { room: name, name: 'Ada', search: '?mode=mcu', ...quiet });
  await shows(watcher, 'red,blue');
  const bob = await MeetingPeer.arrive(browser, gateway, { room: name, name: 'Bob', ...quiet, role: 'presenter' });
  const file = { name: 'me.png', mimeType: 'image/png', buffer: plainPng(300, [192, 32, 32]) };
  await bob.at('avatar-file').setInputFiles(file);
  await bob.at('avatar-remove').waitFor();
  await bob.at('join').click();
  await bob.at('room').waitFor();
  const colorOf = (tile: string) => `(async () => {
    const image = document.querySelector(${JSON.stringify(tile)} + ' [data-testid=tile-avatar]');
    if (!image?.complete || !image.naturalWidth) return '';
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0, 1, 1);
    const [red, , blue] = context.getImageData(0, 0, 1, 1).data;
    return red > 150 && blue < 80 ? 'red' : blue > 150 && red < 80 ? 'blue' : 'else';
  })()`;
  const hasColor = (tile: string, color: string) =>
    vi.waitUntil(async () => (await bob.page.evaluate(colorOf(tile))) === color, { timeout: 40_000, interval: 100 });
  await hasColor(bob.tile('mute'), 'blue');
  await hasColor(bob.tile('Bob'), 'red');
  await gateway.api('DELETE', `${path}/avatar`);
  await shows(watcher, 'red,else');
  await vi.waitUntil(
    async () => (await bob.page.locator(`${bob.tile('mute')} [data-testid=tile-avatar]`).count()) === 0,
  );
  for (const one of [bob, watcher, red, grey]) await one.close();
  expect([...bob.errors, ...watcher.errors]).toEqual([]);
}, 120_000);
