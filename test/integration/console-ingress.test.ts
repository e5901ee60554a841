import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '#test/support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { obsEncoding, testInputs } from '#test/support/test-picture.ts';

let gateway: TestGateway;
let browser: Browser;
let admin: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
  admin = await MeetingPeer.open(browser, `${gateway.url}/console#/rooms/demo`, { name: 'Admin' });
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  await admin.at('stream-keys').waitFor();
});

afterAll(async () => {
  await admin?.close();
  await browser?.close();
  await gateway?.close();
});

const row = (kind: string, name: string) => admin.page.locator(`[data-testid=${kind}-row][data-name="${name}"]`);

test('a stream key from the console lets an encoder in, is seen live, and ends it when it is deleted', async () => {
  await admin.at('create-stream-key').click();
  await admin.at('stream-key-name').fill('Studio');
  await admin.at('make-stream-key').click();
  const key = await admin.at('stream-key-text').textContent();
  const server = await admin.at('stream-key-server').textContent();
  expect(server).toMatch(/^rtmp:\/\/127\.0\.0\.1:\d+\/live$/);
  await admin.at('new-stream-key').getByRole('button', { name: 'Done' }).click();
  const encoder = new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(0), '-f', 'flv', `${server}/${key}`]);
  await row('stream-key', 'Studio').getByText('Live').waitFor();
  await admin.page.locator('[data-testid=participant-row][data-name="Studio"]').waitFor();
  await row('stream-key', 'Studio').locator('[data-testid=delete-stream-key]').click();
  await admin.at('confirm-deed').click();
  expect(await encoder.exited).not.toBe(0);
  await row('stream-key', 'Studio').waitFor({ state: 'detached' });
  expect(admin.errors).toEqual([]);
});

test('an address that may not be reached is refused in words; one that fails says why, without its password', async () => {
  await admin.at('create-streaming-in').click();
  await admin.at('streaming-in-url').fill('rtsp://127.0.0.1/x');
  await admin.at('make-streaming-in').click();
  await admin.at('new-streaming-in').getByText('explicit allow').waitFor();
  await admin.at('streaming-in-url').fill('rtsp://user:hunter2@localhost/x');
  await admin.at('streaming-in-name').fill('Gate');
  await admin.at('make-streaming-in').click();
  await row('streaming-in', 'Gate').getByText('explicit allow').waitFor();
  expect(await row('streaming-in', 'Gate').textContent()).toContain('rtsp://***:***@localhost/x');
  expect(await row('streaming-in', 'Gate').getAttribute('data-state')).toBe('failed');
  await row('streaming-in', 'Gate').locator('[data-testid=turn-streaming-in]').click();
  await row('streaming-in', 'Gate').getByText('Turn on').waitFor();
  await row('streaming-in', 'Gate').locator('[data-testid=delete-streaming-in]').click();
  await admin.at('confirm-deed').click();
  await row('streaming-in', 'Gate').waitFor({ state: 'detached' });
  expect(admin.errors).toEqual([]);
});
