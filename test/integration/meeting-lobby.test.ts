// The door of a meeting in the pages: lobby, letting in, lock, consent, PIN, and a meeting by one click in the console.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '../support/gateway.ts';
import { MeetingPeer } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
const peers: MeetingPeer[] = [];

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

afterEach(async () => {
  const errors = peers.flatMap((peer) => peer.errors.map((error) => `${peer.name}: ${error}`));
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
  expect(errors).toEqual([]);
});

/** For a look at the pages: SWITCHYARD_SCREENSHOTS=folder. */
async function shoot(peer: MeetingPeer, name: string): Promise<void> {
  const folder = process.env.SWITCHYARD_SCREENSHOTS;
  if (folder) await peer.page.screenshot({ path: `${folder}/${name}.png` });
}

async function knock(room: string, name: string, role = 'presenter'): Promise<MeetingPeer> {
  // One camera is enough to see that who was let in is seen.
  const isCameraOn = name === 'Ada';
  const peer = await MeetingPeer.arrive(browser, gateway, { room, name, role, isCameraOn });
  peers.push(peer);
  await peer.at('join').click();
  return peer;
}

const titleOf = (peer: MeetingPeer) => peer.page.locator('h1').textContent();

test('who comes early waits on a page that says so, is let in without reloading, and a lock keeps the next one out', async () => {
  await gateway.api('POST', '/api/rooms', {
    name: 'weekly',
    meeting: { waitsForModerator: true, hasWaitingRoom: true },
  });
  const ada = await knock('weekly', 'Ada');
  await ada.at('waiting-page').waitFor();
  expect(await titleOf(ada)).toBe('Waiting for the moderator');
  await shoot(ada, 'lobby-early');
  const host = await knock('weekly', 'Host', 'moderator');
  await host.at('room').waitFor();
  await ada.page.locator('[data-testid=waiting-page][data-reason=admission]').waitFor();
  const bob = await knock('weekly', 'Bob');
  await bob.at('waiting-page').waitFor();
  expect(await bob.at('waiting-page').textContent()).toContain('number 2 of 2');
  await host.page.getByText('Bob waits to be let in.').waitFor();
  await host.page.keyboard.press('p');
  await host.page.locator('[data-testid=waiting-person][data-name=Bob]').waitFor();
  await shoot(host, 'lobby-moderator');
  await shoot(bob, 'lobby-second');
  await host.page.locator('[data-testid=waiting-person][data-name=Ada]').getByTestId('admit').click();
  await ada.at('room').waitFor();
  await host.seesFrames('Ada', 'camera', 1);
  await host.page.locator('[data-testid=waiting-person][data-name=Bob]').getByTestId('deny').click();
  await bob.at('end-page').waitFor();
  expect(await bob.at('end-page').getAttribute('data-code')).toBe('not_admitted');
  await shoot(bob, 'lobby-denied');
  await host.at('lock').click();
  await ada.at('locked').waitFor();
  await shoot(host, 'lobby-locked');
  await bob.at('rejoin').click();
  await bob.page.locator('[data-testid=end-page][data-code=room_locked]').waitFor();
  expect(await titleOf(bob)).toBe('The meeting is locked');
  await shoot(bob, 'lobby-locked-out');
  await gateway.api('PATCH', '/api/rooms/weekly', { meeting: { endsAt: new Date(Date.now() + 1_500).toISOString() } });
  await ada.at('ends-soon').waitFor();
  await ada.at('end-page').waitFor();
  expect(await ada.at('end-page').textContent()).toContain('has reached its end');
}, 150_000);

test('a room that is recorded asks for agreement first, and shows that it is', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'onair', meeting: { asksConsent: true } });
  const peer = await knock('onair', 'Ada');
  await peer.at('consent-page').waitFor();
  await shoot(peer, 'consent');
  await peer.at('no-consent').click();
  await peer.at('join').click();
  await peer.at('consent').click();
  await peer.at('room').waitFor();
  await peer.at('recorded').waitFor();
});

test('one click in the console makes a meeting; its PIN lets in a browser that has no link', async () => {
  const admin = await MeetingPeer.open(browser, `${gateway.url}/console`, { name: 'Admin' });
  peers.push(admin);
  await admin.value(`localStorage.setItem('switchyard.session', JSON.stringify({ credential: '${adminKey}' }))`);
  await admin.page.reload();
  await admin.at('instant-meeting').click();
  await admin.at('instant-dialog').waitFor();
  await shoot(admin, 'instant');
  const url = new URL((await admin.at('instant-url').textContent())?.trim() ?? '');
  const [, pin = ''] = /link:\s*([\d ]+)/.exec((await admin.at('instant-dialog').textContent()) ?? '') ?? [];
  await admin.at('instant-join').click();
  await admin.at('prejoin').waitFor();
  await admin.at('join').click();
  await admin.at('room').waitFor();
  const guest = await MeetingPeer.open(browser, `${gateway.url}${url.pathname}`, { name: 'Gus' });
  peers.push(guest);
  await guest.at('guest-name').fill('Gus');
  await guest.at('guest-pin').fill('0000');
  await guest.at('guest-enter').click();
  await guest.at('guest-problem').waitFor();
  await shoot(guest, 'guest-pin');
  await guest.at('guest-pin').fill(pin);
  await guest.at('guest-enter').click();
  await guest.at('join').click();
  await guest.at('room').waitFor();
  await admin.page.locator(admin.tile('Gus')).waitFor();
}, 90_000);
