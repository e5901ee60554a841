// The console of who operates it: nodes, and what is looked for in the media of a room.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeResource } from '#api/contract.ts';
import { launchChromium } from '../support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '../support/gateway.ts';
import { freshRoom, MeetingPeer } from '../support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
let admin: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
  admin = await MeetingPeer.open(browser, `${gateway.url}/console`, { name: 'Admin' });
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  await admin.at('console').waitFor();
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

const node = () => gateway.api<NodeResource>('GET', '/api/nodes/self');

test('a node is drained with a reason and a time, seen so, and given work again', async () => {
  await admin.at('nav-nodes').click();
  await admin.page.locator('[data-testid=node][data-state=active]').waitFor();
  await admin.at('sfu-worker-row').first().waitFor();
  await admin.at('drain').click();
  await admin.page.locator('[data-field=reason]').fill('Upgrade');
  await admin.page.locator('[data-field=timeoutMs]').selectOption('600000');
  await admin.at('drain-submit').click();
  await admin.at('drain-dialog').waitFor({ state: 'detached' });
  expect(await admin.at('drain-notice').textContent()).toContain('Upgrade');
  expect(await node()).toMatchObject({ drain: { reason: 'Upgrade', endsAt: expect.any(String) } });
  await admin.at('undrain').click();
  await admin.page.locator('[data-testid=node][data-state=active]').waitFor();
  expect((await node()).drain).toBeNull();
  expect(admin.errors).toEqual([]);
});

test('what is looked for in a room is begun, seen to find silence, and ended', async () => {
  const room = await freshRoom(gateway);
  const guest = await MeetingPeer.join(browser, gateway, {
    name: 'Ada',
    room,
    isCameraOn: false,
    isMicrophoneOn: false,
  });
  await admin.page.goto(`${gateway.url}/console#/rooms/${room}`);
  await admin.at('create-analysis').click();
  await admin.page.locator('[data-field=name]').fill('Gate');
  await admin.page.locator('[data-field="detectors"]').fill('0.5');
  await admin.page.locator('[data-field="detectors.loudness"]').check();
  await admin.at('analysis-submit').click();
  const row = admin.page.locator('[data-testid=analysis-row][data-name=Gate]');
  await row.getByText('Silence').last().waitFor();
  await admin.page.locator('[data-testid=analysis-row][data-state=live]').waitFor();
  await row.getByTestId('analysis-findings').getByText('Silence').waitFor();
  const told = admin.page.locator('[data-testid=analysis-event][data-type="analytics.detected"]');
  await told.filter({ hasText: 'Silence in Gate' }).waitFor();
  await row.getByTestId('delete-analysis').click();
  await admin.at('confirm-deed').click();
  await row.waitFor({ state: 'detached' });
  await guest.close();
  expect(admin.errors).toEqual([]);
});
