import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
let room: string;
let moderator: MeetingPeer;
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
  [moderator, grace] = await Promise.all([
    MeetingPeer.join(browser, gateway, { room, name: 'Moderator', role: 'moderator' }),
    MeetingPeer.join(browser, gateway, { room, name: 'Grace' }),
  ]);
  await moderator.page.locator(moderator.tile('Grace')).waitFor();
});

afterEach(async () => {
  const errors = [moderator, grace].flatMap((peer) => peer?.errors ?? []);
  await Promise.all([moderator?.close(), grace?.close()]);
  expect(errors).toEqual([]);
});

const localOf = (source: string) =>
  `[...switchyard.state.value.local.values()].find((view) => view.source === '${source}')`;

/** By the list of participants. */
async function choose(item: string): Promise<void> {
  if (!(await moderator.at('people-panel').isVisible())) await moderator.page.keyboard.press('p');
  await moderator.page.locator('[data-testid=person][data-name=Grace]').getByTestId('person-menu').click();
  await moderator.at(item).click();
}

test('a kick shows the kicked one why, and the page does not come back by itself', async () => {
  await choose('kick');
  await grace.at('end-page').waitFor();
  expect(await grace.at('end-page').getAttribute('data-kind')).toBe('kicked');
  expect(await grace.at('rejoin').count()).toBe(0);
  await moderator.page.locator(moderator.tile('Grace')).waitFor({ state: 'detached' });
  await grace.until(`switchyard.state.value.phase === 'ended'`);
});

test('a forced mute is obeyed, cannot be undone by the muted one, and is lifted by the moderator', async () => {
  await moderator.hears('Grace');
  await choose('mute-audio');
  await grace.at('forced-mute').waitFor();
  await moderator.hearsNothingOf('Grace');
  expect(await grace.at('mic').getAttribute('data-forced')).toBe('true');
  // The track itself is silent, so that nothing leaves this machine.
  await grace.until(`${localOf('microphone')}.track.enabled === false`);
  await grace.page.keyboard.press('m');
  await grace.page.keyboard.press('m');
  await moderator.hearsNothingOf('Grace');
  await choose('mute-audio');
  await grace.at('forced-mute').waitFor({ state: 'detached' });
  await moderator.hears('Grace');
});

test('a forced mute outlives the media worker', async () => {
  await choose('mute-audio');
  await grace.at('forced-mute').waitFor();
  const { sfuWorkers } = await gateway.api<{ sfuWorkers: { pid: number }[] }>('GET', '/api/server');
  await moderator.notesTracks();
  for (const { pid } of sfuWorkers) process.kill(pid, 'SIGKILL');
  await moderator.receivesAnew();
  await moderator.seesFrames('Grace');
  await moderator.hearsNothingOf('Grace');
  expect(await grace.at('mic').getAttribute('data-forced')).toBe('true');
  await choose('mute-audio');
  await moderator.hears('Grace');
});

test('who was muted by choice stays so when a moderator lifts a mute', async () => {
  await grace.page.keyboard.press('m');
  await choose('mute-audio');
  await grace.at('forced-mute').waitFor();
  await choose('mute-audio');
  await grace.at('forced-mute').waitFor({ state: 'detached' });
  await moderator.hearsNothingOf('Grace');
  await grace.page.keyboard.press('m');
  await moderator.hears('Grace');
});

test('a video that a moderator stops is dark, and comes back when they allow it', async () => {
  await moderator.seesFrames('Grace');
  await choose('mute-video');
  await moderator.page.locator(`${moderator.tile('Grace')}[data-video=false]`).waitFor();
  await grace.until(`${localOf('camera')}.isMutedByModerator`);
  await choose('mute-video');
  await moderator.seesFrames('Grace');
});

test('who is made a viewer sends nothing any more and still sees; who is made presenter again sends', async () => {
  await moderator.seesFrames('Grace');
  await choose('role-viewer');
  await grace.at('mic').waitFor({ state: 'detached' });
  await moderator.page.locator(`${moderator.tile('Grace')}[data-video=false]`).waitFor();
  await grace.seesFrames('Moderator');
  await choose('role-presenter');
  await grace.at('cam').click();
  await moderator.seesFrames('Grace');
});

test('a presenter is offered nothing of this, and refused by the server', async () => {
  await grace.page.keyboard.press('p');
  await grace.page.locator('[data-testid=person][data-name=Moderator]').getByTestId('person-menu').click();
  await grace.at('private-message').waitFor();
  expect(await grace.at('kick').count()).toBe(0);
  const id = await grace.participantId('Moderator');
  const refused = await grace.value<string>(`switchyard.kick('${id}').then(() => 'done', (error) => error.code)`);
  expect(refused).toBe('forbidden');
});

test('a stream that the API takes down is off on the page of its owner', async () => {
  await moderator.seesFrames('Grace');
  const { items } = await gateway.api<{ items: { id: string; source: string; displayName: string }[] }>(
    'GET',
    `/api/rooms/${room}/streams`,
  );
  const camera = items.find(({ source, displayName }) => source === 'camera' && displayName === 'Grace');
  await gateway.api('DELETE', `/api/rooms/${room}/streams/${camera?.id}`);
  await moderator.page.locator(`${moderator.tile('Grace')}[data-video=false]`).waitFor();
  await grace.page.locator('[data-testid=cam][aria-pressed=false]').waitFor();
  await grace.at('cam').click();
  await moderator.seesFrames('Grace');
});
