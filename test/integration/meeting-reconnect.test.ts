import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

let gateway: TestGateway;
let browser: Browser;
let room: string;
let proxy: TcpProxy;
/** Behind the line that is cut. */
let ada: MeetingPeer;
let grace: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

beforeEach(async () => {
  room = await freshRoom(gateway);
  proxy = await TcpProxy.start(gateway.url);
  [ada, grace] = await Promise.all([
    MeetingPeer.join(browser, gateway, { room, name: 'Ada', url: proxy.url }),
    MeetingPeer.join(browser, gateway, { room, name: 'Grace' }),
  ]);
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
});

afterEach(async () => {
  await Promise.all([ada?.close(), grace?.close()]);
  await proxy?.close();
});

const sessionOf = (peer: MeetingPeer) =>
  peer.value<{ selfId: string; publications: string[] }>(`({
    selfId: switchyard.state.value.selfId,
    publications: [...switchyard.state.value.local.values()].map((p) => p.publicationId),
  })`);

test('a lost socket is taken up again: same participant, no media lost, nothing missed', async () => {
  const before = await sessionOf(ada);
  proxy.cut();
  await ada.at('reconnect-banner').waitFor();
  await grace.page.locator(`${grace.tile('Ada')} [data-quality=lost]`).waitFor({ state: 'attached' });
  // Media does not pass the line that was cut.
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
  await grace.page.keyboard.press('c');
  await grace.at('chat-input').fill('said while you were away');
  await grace.page.keyboard.press('Enter');
  await grace.at('chat-message').waitFor();
  proxy.mend();
  await ada.at('reconnect-banner').waitFor({ state: 'detached' });
  await ada.page.keyboard.press('c');
  await expect.poll(() => ada.at('chat-message').allTextContents(), { timeout: 40_000 }).toHaveLength(1);
  expect(await ada.at('chat-message').textContent()).toContain('said while you were away');
  expect(await sessionOf(ada)).toEqual(before);
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
  await grace.page.locator(`${grace.tile('Ada')} [data-quality=lost]`).waitFor({ state: 'detached' });
});

test('what was done while the line was cut happens when it is mended', async () => {
  proxy.cut();
  await ada.at('reconnect-banner').waitFor();
  await ada.page.keyboard.press('m');
  await ada.page.keyboard.press('v');
  await ada.page.keyboard.press('h');
  proxy.mend();
  const tile = grace.page.locator(grace.tile('Ada'));
  await tile.getByTestId('tile-muted').waitFor();
  await tile.getByTestId('tile-hand').waitFor();
  await grace.page.locator(`${grace.tile('Ada')}[data-video=false]`).waitFor();
  await ada.page.keyboard.press('v');
  await grace.seesFrames('Ada');
});

test('a line that is silent without being closed is noticed', async () => {
  const before = await sessionOf(ada);
  proxy.silence();
  await ada.at('reconnect-banner').waitFor();
  proxy.mend();
  await ada.at('reconnect-banner').waitFor({ state: 'detached' });
  expect(await sessionOf(ada)).toEqual(before);
  await grace.seesFrames('Ada');
});

test('who was away for too long joins as somebody new, with the same camera, name and hand', async () => {
  const before = await sessionOf(ada);
  await ada.page.keyboard.press('h');
  await grace.page.locator(grace.tile('Ada')).getByTestId('tile-hand').waitFor();
  proxy.cut();
  await ada.at('reconnect-banner').waitFor();
  // The grace time of a minute is the server's; this is what it does at its end.
  const live = [...gateway.app.rooms.liveRooms()].find(({ name }) => name === room);
  const participant = [...(live?.participants.values() ?? [])].find(({ id }) => id === before.selfId);
  await participant?.close('timeout');
  await grace.page.locator(grace.tile('Ada')).waitFor({ state: 'detached' });
  proxy.mend();
  await ada.at('reconnect-banner').waitFor({ state: 'detached' });
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
  await Promise.all([ada.hears('Grace'), grace.hears('Ada')]);
  await grace.page.locator(grace.tile('Ada')).getByTestId('tile-hand').waitFor();
  expect((await sessionOf(ada)).selfId).not.toBe(before.selfId);
});

test('another server in the place of the first refuses the old link, says so, and takes a new one', async () => {
  const second = await startGateway();
  try {
    await second.api('POST', '/api/rooms', { name: room });
    const token = await second.token({ room, user: 'Ada' });
    proxy.cut();
    await ada.at('reconnect-banner').waitFor();
    proxy.mend(second.url);
    await ada.at('end-page').waitFor();
    expect(await ada.at('end-page').getAttribute('data-code')).toBe('unauthorized');
    await ada.at('invitation-link').fill(`${second.url}/r/${room}#token=${token}`);
    await ada.at('invitation-open').click();
    await ada.at('join').click();
    await ada.at('room').waitFor();
  } finally {
    await second.close();
  }
});

test('a media worker that is killed is replaced and everybody is back without doing anything', async () => {
  const { sfuWorkers } = await gateway.api<{ sfuWorkers: { pid: number }[] }>('GET', '/api/server');
  const before = await sessionOf(ada);
  const killedAtMs = performance.now();
  await Promise.all([ada.notesTracks(), grace.notesTracks()]);
  for (const { pid } of sfuWorkers) process.kill(pid, 'SIGKILL');
  await Promise.all([ada.receivesAnew(), grace.receivesAnew()]);
  await Promise.all([ada.seesFrames('Grace', 'camera', 3), grace.seesFrames('Ada', 'camera', 3)]);
  console.log(`media worker killed, both see each other again after ${Math.round(performance.now() - killedAtMs)} ms`);
  await Promise.all([ada.hears('Grace'), grace.hears('Ada')]);
  expect(await sessionOf(ada)).toEqual(before);
});

test('a camera that was off when the media worker died is off afterwards and can be switched on', async () => {
  await ada.page.keyboard.press('v');
  await grace.page.locator(`${grace.tile('Ada')}[data-video=false]`).waitFor();
  const { sfuWorkers } = await gateway.api<{ sfuWorkers: { pid: number }[] }>('GET', '/api/server');
  await ada.notesTracks();
  for (const { pid } of sfuWorkers) process.kill(pid, 'SIGKILL');
  await ada.receivesAnew();
  await ada.seesFrames('Grace');
  expect(await grace.page.locator(grace.tile('Ada')).getAttribute('data-video')).toBe('false');
  await ada.page.keyboard.press('v');
  await grace.seesFrames('Ada');
});
