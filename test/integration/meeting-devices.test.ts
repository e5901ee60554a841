import { type Browser, chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';

// Browsers in which something is missing; each is started once, beside one in which nothing is.
const plainArgs = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

let gateway: TestGateway;
let whole: Browser;
let lacking: Browser | undefined;
let room: string;
const peers: MeetingPeer[] = [];

beforeAll(async () => {
  [gateway, whole] = await Promise.all([startGateway(), launchChromium()]);
});

afterAll(async () => {
  await whole?.close();
  await gateway?.close();
});

beforeEach(async () => {
  room = await freshRoom(gateway);
});

afterEach(async () => {
  const errors = peers.flatMap((peer) => peer.errors);
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
  await lacking?.close();
  lacking = undefined;
  expect(errors).toEqual([]);
});

const launch = (...args: string[]) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...plainArgs, ...args],
  });

async function arriveWith(...args: string[]): Promise<MeetingPeer> {
  lacking = await launch(...args);
  const peer = await MeetingPeer.arrive(lacking, gateway, { room, name: 'Ada' });
  peers.push(peer);
  return peer;
}

async function joinGrace(): Promise<MeetingPeer> {
  const grace = await MeetingPeer.join(whole, gateway, { room, name: 'Grace' });
  peers.push(grace);
  return grace;
}

const codes = (peer: MeetingPeer) =>
  peer
    .at('input-errors')
    .locator('[data-code]')
    .evaluateAll((all) => all.map((one) => one.getAttribute('data-code')));

test('without any camera or microphone the door says so, and one joins to see and hear', async () => {
  const ada = await arriveWith('--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required');
  await ada.at('input-errors').waitFor();
  await expect.poll(() => codes(ada), { timeout: 40_000 }).toEqual(['no_device', 'no_device']);
  await ada.at('join').click();
  const grace = await joinGrace();
  await ada.seesFrames('Grace');
  await ada.hears('Grace');
  expect(await grace.page.locator(grace.tile('Ada')).getAttribute('data-video')).toBe('false');
});

test('a permission that was denied is told with what to do, and one joins all the same', async () => {
  const ada = await arriveWith('--use-fake-device-for-media-stream', '--deny-permission-prompts');
  await expect.poll(() => codes(ada), { timeout: 40_000 }).toEqual(['permission_denied', 'permission_denied']);
  expect(await ada.at('input-errors').textContent()).toContain('address bar');
  await ada.at('join').click();
  await ada.at('room').waitFor();
  await ada.at('cam').click();
  await ada.page.getByTestId('toast').filter({ hasText: 'may not use your camera' }).waitFor();
});

test('sound that the browser holds back is played after one click', async () => {
  // Whatever a test does in a page counts as the user's hand, and whoever gives a page a microphone may be played to at
  // once: so this page joins by itself, without devices, and says by itself that it was kept silent.
  const script = `
    setInterval(() => document.querySelector('[data-testid=join]:enabled')?.click(), 100);
    const { play } = HTMLAudioElement.prototype;
    HTMLAudioElement.prototype.play = function () {
      return play.call(this).catch((error) => {
        console.log('play refused: ' + error.name);
        throw error;
      });
    };`;
  const grace = await joinGrace();
  lacking = await launch('--use-fake-ui-for-media-stream', '--autoplay-policy=document-user-activation-required');
  const token = await gateway.token({ room, user: 'Ada' });
  const context = await lacking.newContext();
  const refusal = new Promise<string>((resolve) => {
    context.on('console', (message) => {
      if (message.text().startsWith('play refused')) resolve(message.text());
    });
  });
  const ada = await MeetingPeer.openIn(context, `${gateway.url}/r/${room}#token=${token}`, { name: 'Ada', script });
  peers.push(ada);
  expect(await refusal).toBe('play refused: NotAllowedError');
  await ada.at('unblock-audio').click();
  await ada.at('unblock-audio').waitFor({ state: 'detached' });
  await ada.hears('Grace');
  await grace.page.locator(grace.tile('Ada')).waitFor();
});

test('another camera is chosen at the door, and another one in the room without ending the publication', async () => {
  const ada = await arriveWith('--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=device-count=2');
  const preview = `document.querySelector('[data-testid=preview]')?.srcObject?.getVideoTracks()[0]?.label`;
  await ada.until(`${preview} === 'fake_device_0'`);
  await ada.at('select-camera').selectOption({ label: 'fake_device_1' });
  await ada.until(`${preview} === 'fake_device_1'`);
  await ada.at('join').click();
  const grace = await joinGrace();
  const camera = `[...switchyard.state.value.local.values()].find(({ source }) => source === 'camera')`;
  await ada.until(`${camera}?.isPublished`);
  expect(await ada.value(`${camera}.track.label`)).toBe('fake_device_1');
  const id = await ada.value(`${camera}.publicationId`);
  await ada.at('cam-menu').click();
  await ada.page.getByRole('menuitemradio', { name: 'fake_device_0' }).click();
  await ada.until(`${camera}.track?.label === 'fake_device_0'`);
  // The second fake camera of Chromium gives nothing to connections, so these frames can only be the first one's.
  await grace.seesFrames('Ada');
  expect(await ada.value(`${camera}.publicationId`)).toBe(id);
});

test('another microphone is heard without ending the publication', async () => {
  const ada = await arriveWith('--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream');
  await ada.at('join').click();
  const grace = await joinGrace();
  await grace.hears('Ada');
  const microphone = `[...switchyard.state.value.local.values()].find(({ source }) => source === 'microphone')`;
  const id = await ada.value(`${microphone}.publicationId`);
  await ada.at('mic-menu').click();
  await ada.page.getByRole('menuitemradio', { name: 'Fake Audio Input 2' }).click();
  await ada.until(`${microphone}.track?.label === 'Fake Audio Input 2'`);
  await grace.hears('Ada');
  expect(await ada.value(`${microphone}.publicationId`)).toBe(id);
});
