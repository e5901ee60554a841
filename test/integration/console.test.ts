import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
let room: string;
let admin: MeetingPeer;
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
  admin = await MeetingPeer.open(browser, `${gateway.url}/console`, {
    name: 'Admin',
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
  });
  peers.push(admin);
});

afterEach(async () => {
  const errors = peers.flatMap((peer) => peer.errors);
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
  expect(errors).toEqual([]);
});

async function signIn(): Promise<void> {
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  await admin.at('console').waitFor();
}

const rowOf = (name: string) => admin.page.locator(`[data-testid=room-row][data-room="${name}"]`);
const participantRow = (name: string) => admin.page.locator(`[data-testid=participant-row][data-name="${name}"]`);

test('rooms come in pages, and any of them is found by a part of its title, whichever page it is on', async () => {
  for (let count = 0; count < 60; count++) {
    await gateway.api('POST', '/api/rooms', { name: `paged-${count}`, displayName: `Hall ${count}` });
  }
  await signIn();
  const shown = () => admin.page.getByTestId('room-row').evaluateAll((rows) => rows.map((row) => row.dataset.room));
  const soon = { timeout: 40_000 };
  await expect.poll(async () => (await shown()).length, soon).toBe(50);
  const first = await shown();
  const { items } = await gateway.api<{ items: { name: string }[] }>('GET', '/api/rooms?limit=500');
  await admin.at('rooms-after').click();
  await expect.poll(shown, soon).toEqual(items.slice(50, 100).map(({ name }) => name));
  expect(first).toEqual(items.slice(0, 50).map(({ name }) => name));
  await admin.at('rooms-before').click();
  await expect.poll(shown, soon).toEqual(first);
  const hidden = items.slice(50).find(({ name }) => name.startsWith('paged-'))?.name ?? '';
  await admin.at('find-room').fill(`HALL ${hidden.replace('paged-', '')}`);
  await rowOf(hidden).waitFor();
  await admin.at('find-room').fill('no such hall');
  await expect.poll(shown, soon).toEqual([]);
  for (let count = 0; count < 60; count++) await gateway.api('DELETE', `/api/rooms/paged-${count}`);
}, 120_000);

test('the one-time link signs in once, stays signed in, and is refused the second time', async () => {
  const link = /\/console#login=\S+/.exec(gateway.app.welcome())?.[0] ?? '';
  await admin.page.goto('about:blank');
  await admin.page.goto(`${gateway.url}${link}`);
  await rowOf('demo').waitFor();
  expect(admin.page.url()).not.toContain('login');
  await admin.page.reload();
  await rowOf('demo').waitFor();
  await admin.at('sign-out').click();
  await admin.at('sign-in').waitFor();
  await admin.page.goto('about:blank');
  await admin.page.goto(`${gateway.url}${link}`);
  await admin.at('sign-in-error').waitFor();
});

test('a wrong key is refused in the words of the API', async () => {
  await admin.at('api-key').fill('sk_this-key-was-never-made');
  await admin.at('sign-in-button').click();
  expect(await admin.at('sign-in-error').textContent()).toMatch(/not known/);
});

test('a session that is no longer good leads back to the sign-in, with the reason', async () => {
  const { key, id } = await gateway.api<{ key: string; id: string }>('POST', '/api/keys', {
    name: 'soon gone',
    scopes: ['admin'],
  });
  await admin.at('api-key').fill(key);
  await admin.at('sign-in-button').click();
  await rowOf('demo').waitFor();
  await gateway.api('DELETE', `/api/keys/${id}`);
  await admin.at('sign-in-error').waitFor();
});

test('a room is made, refused with the API’s words where it does not fit, changed and deleted', async () => {
  await signIn();
  await admin.at('create-room').click();
  await admin.at('room-form').locator('[data-field="name"]').fill('no spaces, please');
  await admin.at('room-form-submit').click();
  expect(await admin.at('problem').textContent()).toContain('letters, digits');
  await admin.at('room-form').locator('[data-field="name"]').fill('standup');
  await admin.at('room-form').locator('[data-field="displayName"]').fill('Morning stand-up');
  await admin.at('room-form').locator('[data-field="maxParticipants"]').fill('12');
  await admin.at('room-form-submit').click();
  await rowOf('standup').waitFor();
  expect(await gateway.api('GET', '/api/rooms/standup')).toMatchObject({
    displayName: 'Morning stand-up',
    maxParticipants: 12,
    lastN: -1,
  });
  await rowOf('standup').getByTestId('room-menu').click();
  await admin.at('edit-room').click();
  await admin.at('room-form').locator('[data-field="maxParticipants"]').fill('');
  await admin.at('room-form').locator('[data-field="lastN"]').fill('4');
  await admin.at('room-form-submit').click();
  await admin.at('room-dialog').waitFor({ state: 'detached' });
  expect(await gateway.api('GET', '/api/rooms/standup')).toMatchObject({ maxParticipants: -1, lastN: 4 });
  await rowOf('standup').getByTestId('room-menu').click();
  await admin.at('delete-room').click();
  await admin.at('confirm-deed').click();
  await rowOf('standup').waitFor({ state: 'detached' });
});

test('an invitation opens the meeting in the role that was chosen', async () => {
  await signIn();
  await rowOf(room).getByTestId('invite').click();
  await admin.at('invite-form').locator('[data-field="name"]').fill('Grace');
  await admin.at('invite-form').locator('[data-field="role"]').selectOption('viewer');
  await admin.at('invite-form-submit').click();
  const url = (await admin.at('invite-url').textContent()) ?? '';
  expect(await admin.value('navigator.clipboard.readText()')).toBe(url);
  const grace = await MeetingPeer.open(browser, url, { name: 'Grace' });
  peers.push(grace);
  await grace.at('join').click();
  await grace.at('room').waitFor();
  expect(await gateway.api('GET', `/api/rooms/${room}/participants`)).toMatchObject({
    items: [{ displayName: 'Grace', role: 'viewer' }],
  });
});

test('a room shows who is in it with live figures; mute, message and removal reach them', async () => {
  const grace = await MeetingPeer.join(browser, gateway, { room, name: 'Grace' });
  const joan = await MeetingPeer.join(browser, gateway, { room, name: 'Joan' });
  peers.push(grace, joan);
  await signIn();
  await expect.poll(() => rowOf(room).getByTestId('room-count').textContent(), { timeout: 40_000 }).toBe('2');
  await rowOf(room).getByRole('link', { name: room }).click();
  await expect
    .poll(() => participantRow('Grace').getByTestId('sends').textContent(), { timeout: 40_000 })
    .toMatch(/[1-9].*bit\/s/);
  await admin.page.locator('[data-testid=stream-row][data-source=camera]').first().waitFor();
  await participantRow('Grace').getByTestId('mute').click();
  await grace.at('forced-mute').waitFor();
  await participantRow('Grace').getByRole('button', { name: 'Let Grace speak' }).click();
  await grace.at('forced-mute').waitFor({ state: 'detached' });
  await admin.at('message').fill('Fire drill at noon');
  await admin.at('send-message').click();
  await grace.at('toast').filter({ hasText: 'Server: Fire drill at noon' }).waitFor();
  await participantRow('Grace').getByTestId('kick').click();
  await admin.at('confirm-deed').click();
  await grace.at('end-page').waitFor();
  expect(await grace.at('end-page').getAttribute('data-kind')).toBe('kicked');
  await participantRow('Grace').waitFor({ state: 'detached' });
  await participantRow('Joan').waitFor();
});

test('a key is shown once, works as far as it may, and is refused after it was deleted', async () => {
  await signIn();
  await admin.at('nav-keys').click();
  await admin.at('create-key').click();
  await admin.at('key-form').locator('[data-field="name"]').fill('dashboard');
  await admin.at('key-form-submit').click();
  const key = (await admin.at('new-key-text').textContent()) ?? '';
  const status = async (method: string, path: string) =>
    (await fetch(`${gateway.url}${path}`, { method, headers: { authorization: `Bearer ${key}` } })).status;
  expect(await status('GET', '/api/rooms')).toBe(200);
  expect(await status('GET', '/api/keys')).toBe(403);
  await admin.page.keyboard.press('Escape');
  const row = admin.page.locator('[data-testid=key-row][data-name=dashboard]');
  await row.getByTestId('delete-key').click();
  await admin.at('confirm-deed').click();
  await row.waitFor({ state: 'detached' });
  expect(await status('GET', '/api/rooms')).toBe(401);
});

test('the server page counts its media workers and sees one that was replaced', async () => {
  await signIn();
  await admin.at('nav-server').click();
  await admin.at('ready').waitFor();
  const pid = Number(await admin.at('worker-row').locator('td').first().textContent());
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => admin.at('worker-row').locator('td').last().textContent(), { timeout: 40_000 }).toBe('1');
  await admin.at('ready').waitFor();
});

test('a server that cannot be reached is said to be so, above what was read before', async () => {
  await signIn();
  await rowOf(room).waitFor();
  await admin.page.context().setOffline(true);
  await admin.at('problem').waitFor();
  await rowOf(room).waitFor();
  await admin.page.context().setOffline(false);
  await admin.at('problem').waitFor({ state: 'detached' });
});
