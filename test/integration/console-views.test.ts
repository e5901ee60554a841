import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { colorsOfHalves } from '#test/support/colors-of-halves.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway({ media: { maxLoadPercent: 100 } }), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

test('an operator looks into a room and arranges its picture: first, taken out, brought in, another layout', async () => {
  const room = await gateway.app.rooms.open('demo');
  const size = { width: 640, height: 360 };
  const cameras = [
    await CameraPeer.join(room, { name: 'red', color: '#c02020', ...size }),
    await CameraPeer.join(room, { name: 'blue', color: '#2020c0', ...size }),
  ];
  const admin = await MeetingPeer.open(browser, `${gateway.url}/console#/rooms/demo`, { name: 'Admin' });
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  const view = admin.page.locator('[data-testid=view][data-name=common]');
  await view.getByText('Nobody watches it').waitFor();
  await admin.at('toggle-preview').click();
  const shows = (expected: string) =>
    vi.waitUntil(
      async () => (await admin.page.evaluate(colorsOfHalves('[data-testid=live-player] video'))) === expected,
      {
        ...{ timeout: 60_000, interval: 200 },
      },
    );
  const row = (name: string) => view.locator(`[data-testid=view-input-row][data-name=${name}]`);
  await shows('red,blue');
  // The view is a stream of the room too, and no candidate for itself.
  expect(await view.locator('[data-testid=view-other-row]').count()).toBe(0);
  await row('blue').locator('[data-testid=view-first]').click();
  await shows('blue,red');
  await row('red').locator('[data-testid=view-remove]').click();
  await shows('blue,blue');
  await view.locator('[data-testid=view-other-row][data-name=red] [data-testid=view-add]').click();
  await shows('blue,red');
  await view.locator('[data-testid=view-layout]').selectOption('speaker');
  await shows('blue,blue');
  await row('red').getByText('256×144').waitFor();
  await row('blue').locator('[data-testid=view-pin]').click();
  await row('blue').getByText('pinned').waitFor();
  await admin.close();
  for (const camera of cameras) await camera.close();
  expect(admin.errors).toEqual([]);
}, 180_000);
