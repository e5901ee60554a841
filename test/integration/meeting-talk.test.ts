import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
let room: string;
let ada: MeetingPeer;
let grace: MeetingPeer;
let joan: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

beforeEach(async () => {
  room = await freshRoom(gateway);
  // Words need no pictures.
  const quiet = { isCameraOn: false, isMicrophoneOn: false };
  [ada, grace, joan] = await Promise.all([
    MeetingPeer.join(browser, gateway, { room, name: 'Ada', role: 'moderator', ...quiet }),
    MeetingPeer.join(browser, gateway, { room, name: 'Grace', ...quiet }),
    MeetingPeer.join(browser, gateway, { room, name: 'Joan', ...quiet }),
  ]);
  for (const peer of [ada, grace, joan]) await peer.until(`switchyard.state.value.participants.size === 3`);
});

afterEach(async () => {
  const errors = [ada, grace, joan].flatMap((peer) => peer?.errors ?? []);
  await Promise.all([ada?.close(), grace?.close(), joan?.close()]);
  expect(errors).toEqual([]);
});

async function say(peer: MeetingPeer, text: string): Promise<void> {
  if (!(await peer.at('chat-panel').isVisible())) await peer.page.keyboard.press('c');
  await peer.at('chat-input').fill(text);
  await peer.at('chat-input').press('Enter');
}

const messages = async (peer: MeetingPeer) => (await peer.at('chat-message').allTextContents()).join('\n');

test('a message reaches everybody, counts as unread until the panel opens, and is text whatever it contains', async () => {
  const text = 'Hello <b>all</b>, see https://example.org/x';
  await say(ada, text);
  await grace.at('unread').waitFor();
  expect(await grace.at('unread').textContent()).toBe('1');
  await grace.at('chat').click();
  expect(await messages(grace)).toContain(text);
  expect(await grace.at('chat-panel').locator('b').count()).toBe(0);
  expect(await grace.at('chat-panel').locator('a').getAttribute('href')).toBe('https://example.org/x');
  expect(await grace.at('unread').count()).toBe(0);
});

test('who comes later reads what was said to all, and nothing private', async () => {
  await say(ada, 'for everybody');
  await ada.at('chat-to').selectOption({ label: 'Grace (private)' });
  await say(ada, 'for Grace alone');
  const late = await MeetingPeer.join(browser, gateway, {
    room,
    name: 'Late',
    isCameraOn: false,
    isMicrophoneOn: false,
  });
  await late.at('chat').click();
  await expect.poll(() => messages(late), { timeout: 40_000 }).toContain('for everybody');
  expect(await messages(late)).not.toContain('for Grace alone');
  await late.close();
});

test('a private message is seen by the two it concerns, and by nobody else', async () => {
  await ada.page.keyboard.press('p');
  await ada.page.locator('[data-testid=person][data-name=Grace]').getByTestId('person-menu').click();
  await ada.at('private-message').click();
  await say(ada, 'between us');
  await grace.at('unread').waitFor();
  await grace.at('chat').click();
  await grace.page.locator('[data-testid=chat-message][data-private=true]', { hasText: 'between us' }).waitFor();
  await ada.page.locator('[data-testid=chat-message][data-private=true]', { hasText: 'between us' }).waitFor();
  // What comes after it has come, so it would be here by now.
  await say(grace, 'afterwards');
  await joan.at('chat').click();
  await expect.poll(() => messages(joan), { timeout: 40_000 }).toContain('afterwards');
  expect(await messages(joan)).not.toContain('between us');
});

test('hands stand in the order they were raised, and a moderator lowers them', async () => {
  await joan.page.keyboard.press('h');
  await ada.page.locator(ada.tile('Joan')).getByTestId('tile-hand').waitFor();
  await grace.page.keyboard.press('h');
  await ada.page.locator(ada.tile('Grace')).getByTestId('tile-hand').waitFor();
  await ada.page.keyboard.press('p');
  const names = () => ada.at('person').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-name')));
  expect((await names()).slice(0, 2)).toEqual(['Joan', 'Grace']);
  await ada.page.locator('[data-testid=person][data-name=Joan]').getByTestId('person-menu').click();
  await ada.at('lower-hand').click();
  await grace.page.locator(grace.tile('Joan')).getByTestId('tile-hand').waitFor({ state: 'detached' });
  expect((await names())[0]).toBe('Grace');
  await grace.page.keyboard.press('h');
  await ada.at('person-hand').waitFor({ state: 'detached' });
});

test('a new name is everybody’s at once', async () => {
  await grace.page.keyboard.press('p');
  await grace.at('rename').click();
  await grace.at('rename-input').fill('Amazing Grace');
  await grace.at('rename-input').press('Enter');
  await ada.page.locator(ada.tile('Amazing Grace')).waitFor();
});

test('keys do what the list of keys says, and nothing while one is typing', async () => {
  await ada.page.keyboard.press('?');
  await ada.at('help').waitFor();
  await ada.page.keyboard.press('Escape');
  await ada.at('help').waitFor({ state: 'detached' });
  await ada.page.keyboard.press('c');
  await ada.at('chat-input').click();
  await ada.page.keyboard.type('hmvs');
  expect(await ada.at('chat-input').inputValue()).toBe('hmvs');
  expect(await ada.page.locator('[data-testid=hand][aria-pressed=false]').count()).toBe(1);
  await ada.page.keyboard.press('Escape');
  await ada.at('chat-panel').waitFor({ state: 'detached' });
});

test('a pin makes one large for the one who set it, by double click, until Escape', async () => {
  await ada.page.locator(ada.tile('Joan')).dblclick();
  await ada.page.locator('[data-testid=stage][data-mode=spotlight]').waitFor();
  expect(await grace.at('stage').getAttribute('data-mode')).toBe('grid');
  const width = async (name: string) => (await ada.page.locator(ada.tile(name)).boundingBox())?.width ?? 0;
  await expect.poll(() => width('Joan'), { timeout: 40_000 }).toBeGreaterThan(800);
  await ada.page.keyboard.press('Escape');
  await ada.page.locator('[data-testid=stage][data-mode=grid]').waitFor();
});
