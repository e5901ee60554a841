import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
const peers: MeetingPeer[] = [];

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
  await gateway.api('POST', '/api/rooms', { name: 'other' });
  await gateway.api('POST', '/api/rooms', { name: 'small', maxParticipants: 1 });
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

afterEach(async () => {
  const errors = peers.flatMap((peer) => peer.errors.map((error) => `${peer.name}: ${error}`));
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
  expect(errors).toEqual([]);
});

async function open(path: string): Promise<MeetingPeer> {
  const peer = await MeetingPeer.open(browser, `${gateway.url}${path}`, { name: 'Ada' });
  peers.push(peer);
  return peer;
}

async function refusal(path: string): Promise<MeetingPeer> {
  const peer = await open(path);
  await peer.at('name').fill('Ada');
  await peer.at('join').click();
  await peer.at('end-page').waitFor();
  return peer;
}

const codeOf = (peer: MeetingPeer) => peer.at('end-page').getAttribute('data-code');
const textOf = (peer: MeetingPeer) => peer.at('end-page').textContent();

test('a token leaves the address bar at once and survives a reload of its tab', async () => {
  const peer = await open(`/r/demo#token=${await gateway.token()}`);
  await peer.at('prejoin').waitFor();
  expect(peer.page.url()).toBe(`${gateway.url}/r/demo`);
  await peer.page.reload({ waitUntil: 'domcontentloaded' });
  await peer.at('prejoin').waitFor();
});

test('without an invitation the page asks for one, refuses nonsense and takes a link that is pasted', async () => {
  const peer = await open('/r/demo');
  await peer.at('invitation-page').waitFor();
  await peer.at('invitation-link').fill('let me in');
  await peer.at('invitation-open').click();
  await peer.page.getByRole('alert').waitFor();
  await peer.at('invitation-link').fill(`${gateway.url}/r/demo#token=${await gateway.token({ name: 'Ada' })}`);
  await peer.at('invitation-open').click();
  await peer.at('join').click();
  await peer.at('room').waitFor();
});

test('a token for another room is refused with a page that says so and takes the right link', async () => {
  const peer = await refusal(`/r/demo#token=${await gateway.token({ room: 'other' })}`);
  expect(await codeOf(peer)).toBe('forbidden');
  expect(await textOf(peer)).toContain('another room');
  await peer.at('invitation-link').fill(await gateway.token({ name: 'Ada' }));
  await peer.at('invitation-open').click();
  await peer.at('join').click();
  await peer.at('room').waitFor();
});

test('a token that has expired is refused with a page that asks for a new one', async () => {
  const { token, expiresAt } = await gateway.api<{ token: string; expiresAt: string }>(
    'POST',
    '/api/rooms/demo/tokens',
    { user: 'Ada', role: 'presenter', ttlMs: 1_000 },
  );
  const peer = await open(`/r/demo#token=${token}`);
  await peer.at('name').fill('Ada');
  await peer.until(`Date.now() > Date.parse('${expiresAt}') + 1_000`);
  await peer.at('join').click();
  await peer.at('end-page').waitFor();
  expect(await codeOf(peer)).toBe('unauthorized');
  expect(await textOf(peer)).toContain('expired');
});

test('a token that was forged is refused', async () => {
  const [header, payload] = (await gateway.token()).split('.');
  expect(await codeOf(await refusal(`/r/demo#token=${header}.${payload}.${'A'.repeat(43)}`))).toBe('unauthorized');
});

test('a room that does not exist has a page of its own', async () => {
  const peer = await refusal(`/r/nowhere#token=${await gateway.token()}`);
  expect(['not_found', 'forbidden']).toContain(await codeOf(peer));
});

test('a full room says so and lets one in when there is room again', async () => {
  const first = await MeetingPeer.join(browser, gateway, { room: 'small', name: 'First' });
  peers.push(first);
  const peer = await refusal(`/r/small#token=${await gateway.token({ room: 'small' })}`);
  expect(await codeOf(peer)).toBe('room_full');
  await first.at('leave').click();
  await first.at('end-page').waitFor();
  expect(await first.at('end-page').getAttribute('data-kind')).toBe('left');
  await peer.at('rejoin').click();
  await peer.at('room').waitFor();
});

test('who has left can join again from the last page, with camera and microphone', async () => {
  const room = await freshRoom(gateway);
  const grace = await MeetingPeer.join(browser, gateway, { room, name: 'Grace' });
  const ada = await MeetingPeer.join(browser, gateway, { room, name: 'Ada' });
  peers.push(grace, ada);
  await grace.seesFrames('Ada');
  await ada.at('leave').click();
  await grace.page.locator(grace.tile('Ada')).waitFor({ state: 'detached' });
  await ada.at('rejoin').click();
  await Promise.all([grace.seesFrames('Ada'), grace.hears('Ada')]);
});

test('a page that is closed leaves at once', async () => {
  const room = await freshRoom(gateway);
  const grace = await MeetingPeer.join(browser, gateway, { room, name: 'Grace' });
  const ada = await MeetingPeer.join(browser, gateway, { room, name: 'Ada' });
  peers.push(grace);
  await grace.page.locator(grace.tile('Ada')).waitFor();
  await ada.page.goto('about:blank');
  await grace.page.locator(grace.tile('Ada')).waitFor({ state: 'detached' });
  await ada.close();
});

test('whoever is signed in to the console needs no invitation and comes as moderator', async () => {
  const peer = await open('/r/demo');
  await peer.at('invitation-page').waitFor();
  await peer.value(`localStorage.setItem('switchyard.session', JSON.stringify({ credential: '${adminKey}' }))`);
  await peer.page.reload({ waitUntil: 'domcontentloaded' });
  await peer.at('name').fill('Admin');
  await peer.at('join').click();
  await peer.at('room').waitFor();
  await peer.page.keyboard.press('p');
  await peer.page.locator('[data-testid=person][data-role=moderator]').waitFor();
});
