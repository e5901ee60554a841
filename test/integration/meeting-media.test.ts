import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer, type MeetingPeerOptions, steadyVoice } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
let room: string;
const peers: MeetingPeer[] = [];

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
  const errors = peers.flatMap((peer) => peer.errors.map((error) => `${peer.name}: ${error}`));
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
  expect(errors).toEqual([]);
});

async function join(options: Omit<MeetingPeerOptions, 'room'>): Promise<MeetingPeer> {
  const peer = await MeetingPeer.join(browser, gateway, { room, ...options });
  peers.push(peer);
  return peer;
}

test('two browsers see and hear each other', async () => {
  const ada = await join({ name: 'Ada' });
  const grace = await join({ name: 'Grace' });
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
  await Promise.all([ada.hears('Grace'), grace.hears('Ada')]);
});

test('who speaks is marked', async () => {
  const ada = await join({ name: 'Ada' });
  await join({ name: 'Grace', script: steadyVoice });
  await ada.page.locator(`${ada.tile('Grace')}[data-speaking=true]`).waitFor();
});

test('the door shows how one looks, with the chosen name, before anybody else does', async () => {
  const ada = await join({ name: 'Ada' });
  const grace = await MeetingPeer.arrive(browser, gateway, { room, name: 'Grace' });
  peers.push(grace);
  await grace.until(`document.querySelector('[data-testid=preview]')?.videoWidth > 0`);
  expect(await grace.at('name').inputValue()).toBe('Grace');
  await grace.at('name').fill('Rear Admiral Hopper');
  expect(await ada.at('count').textContent()).toContain('1');
  await grace.at('join').click();
  await ada.page.locator(ada.tile('Rear Admiral Hopper')).waitFor();
});

test('a camera that is switched off leaves initials and no light, and comes back in the same tile', async () => {
  const ada = await join({ name: 'Ada' });
  const grace = await join({ name: 'Grace' });
  await ada.seesFrames('Grace');
  await grace.page.keyboard.press('v');
  await ada.page.locator(`${ada.tile('Grace')}[data-video=false]`).waitFor();
  await grace.until(
    `[...switchyard.state.value.local.values()].some((p) => p.source === 'camera' && p.track === null)`,
  );
  await grace.page.keyboard.press('v');
  await ada.seesFrames('Grace');
});

test('a muted microphone is silent and marked, and heard again afterwards', async () => {
  const ada = await join({ name: 'Ada' });
  const grace = await join({ name: 'Grace' });
  await ada.hears('Grace');
  await grace.page.keyboard.press('m');
  await ada.page.locator(ada.tile('Grace')).getByTestId('tile-muted').waitFor();
  await ada.hearsNothingOf('Grace');
  await grace.page.keyboard.press('m');
  await ada.hears('Grace');
});

test('a shared screen stands large beside the others, and everything is as before when it ends', async () => {
  const ada = await join({ name: 'Ada' });
  const grace = await join({ name: 'Grace' });
  await grace.at('share').click();
  await ada.seesFrames('Grace', 'screen');
  expect(await ada.at('stage').getAttribute('data-mode')).toBe('spotlight');
  const box = async (kind: 'camera' | 'screen') =>
    (await ada.page.locator(ada.tile('Grace', kind)).boundingBox())?.width;
  expect(await box('screen')).toBeGreaterThan(((await box('camera')) ?? 0) * 3);
  await ada.seesFrames('Grace', 'camera');
  await grace.at('share').click();
  await ada.page.locator(ada.tile('Grace', 'screen')).waitFor({ state: 'detached' });
  expect(await ada.at('stage').getAttribute('data-mode')).toBe('duo');
});

test('a small tile gets a small picture and a large one a large, by simulcast layers', async () => {
  const ada = await join({ name: 'Ada' });
  await join({ name: 'Grace' });
  const selector = JSON.stringify(ada.tile('Grace'));
  await ada.until(`probe.height(${selector}) === 720`);
  // In a window of this size the picture is no more than 225 pixels high: the quarter-size layer fills the tile.
  await ada.page.setViewportSize({ width: 360, height: 280 });
  await ada.until(`probe.height(${selector}) === 180`);
  await ada.page.setViewportSize({ width: 1280, height: 800 });
  await ada.until(`probe.height(${selector}) === 720`);
});

test('a video that nobody sees is not sent, and is there again when it is looked at', async () => {
  const ada = await join({ name: 'Ada', isCameraOn: false });
  const grace = await join({ name: 'Grace' });
  await ada.seesFrames('Grace');
  const id = await ada.page.locator(ada.tile('Grace')).getAttribute('data-publication');
  const isSending = (sends: boolean) => `(async () => {
    const isWatched = [...switchyard.state.value.local.values()].find((p) => p.source === 'camera')?.isWatched;
    const before = (await switchyard.sampleStats()).sent.find((stream) => stream.kind === 'video')?.frameCount ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = (await switchyard.sampleStats()).sent.find((stream) => stream.kind === 'video')?.frameCount ?? 0;
    return isWatched === ${sends} && (after > before) === ${sends};
  })()`;
  await grace.until(isSending(true));
  // The page tells what it shows with each drawing; from here on the test does.
  await ada.value(`(switchyard.setView = () => {}, switchyard.setPaused('${id}', true))`);
  await grace.until(isSending(false));
  await ada.value(`switchyard.setPaused('${id}', false)`);
  await grace.until(isSending(true));
  await ada.seesFrames('Grace');
});

test('who comes without camera and microphone sees and hears all the same', async () => {
  const ada = await join({ name: 'Ada', isCameraOn: false, isMicrophoneOn: false });
  const grace = await join({ name: 'Grace' });
  await Promise.all([ada.seesFrames('Grace'), ada.hears('Grace')]);
  await grace.page.locator(grace.tile('Ada')).getByTestId('tile-muted').waitFor();
});

test('a window the size of a phone has everything within it', async () => {
  const ada = await join({ name: 'Ada', context: { viewport: { width: 390, height: 844 }, isMobile: true } });
  await join({ name: 'Grace' });
  await join({ name: 'Joan', isCameraOn: false });
  await ada.seesFrames('Grace');
  expect(await ada.page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  for (const testId of ['mic', 'cam', 'hand', 'chat', 'people', 'leave']) {
    const box = await ada.at(testId).boundingBox();
    expect(box && box.x >= 0 && box.x + box.width <= 390 && box.y + box.height <= 844, testId).toBe(true);
  }
});
