import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';
import { freePort } from '../support/ports.ts';
import { UdpRelay } from '../support/udp-relay.ts';

const relayAddress = '127.0.0.2';

let gateway: TestGateway;
let browser: Browser;
let relay: UdpRelay;
let ada: MeetingPeer;
let grace: MeetingPeer;

beforeAll(async () => {
  const firstPort = await freePort();
  relay = await UdpRelay.start(relayAddress, firstPort);
  const listen = [{ ip: '127.0.0.1', announcedAddress: relayAddress }];
  [gateway, browser] = await Promise.all([
    startGateway({ sfu: { workers: 1, firstPort, hasTcp: false, listen } }),
    launchChromium(),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
  relay?.close();
});

beforeEach(async () => {
  const room = await freshRoom(gateway);
  [ada, grace] = await Promise.all([
    MeetingPeer.join(browser, gateway, { room, name: 'Ada' }),
    MeetingPeer.join(browser, gateway, { room, name: 'Grace' }),
  ]);
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
});

afterEach(async () => {
  relay.mend();
  await Promise.all([ada?.close(), grace?.close()]);
});

const publications = (peer: MeetingPeer) =>
  peer.value<string[]>('[...switchyard.state.value.local.values()].map((view) => view.publicationId)');

test('media that stops on its way is said to, and comes back with the path, under the same ids', async () => {
  const before = await publications(ada);
  relay.cut();
  await Promise.all([ada.at('media-banner').waitFor(), grace.at('media-banner').waitFor()]);
  // Signalling has another path: the meeting goes on in writing.
  await grace.page.keyboard.press('c');
  await grace.at('chat-input').fill('can you hear me?');
  await grace.page.keyboard.press('Enter');
  await ada.at('unread').waitFor();
  relay.mend();
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada'), ada.hears('Grace'), grace.hears('Ada')]);
  await ada.at('media-banner').waitFor({ state: 'detached' });
  expect(await publications(ada)).toEqual(before);
});

test('a transport that the server has closed is made anew, and what was on it comes back', async () => {
  const before = await publications(ada);
  const live = [...gateway.app.rooms.liveRooms()].flatMap((room) => [...room.participants.values()]);
  const participant = live.find(({ displayName, isClosed }) => displayName === 'Ada' && !isClosed);
  await ada.notesTracks();
  for (const transport of [...(participant?.transports.values() ?? [])]) transport.close();
  await ada.receivesAnew();
  await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada'), ada.hears('Grace'), grace.hears('Ada')]);
  expect(await publications(ada)).toEqual(before);
});
