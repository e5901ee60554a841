import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { colorsOfHalves } from '#test/support/colors-of-halves.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { plainPng } from '#test/support/png.ts';

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
  await view.locator('[data-testid=view-glide]').check();
  await view.locator('[data-testid=view-fit]').selectOption('crop');
  const looks = async () => {
    const found = await gateway.api<{ transitionMs: number; layout: object }>('GET', '/api/rooms/demo/views/common');
    return found.transitionMs > 0 && JSON.stringify(found.layout).includes('crop');
  };
  await vi.waitUntil(looks, { timeout: 40_000, interval: 100 });
  // What was done is told: four who were moved, three looks.
  const { items } = await gateway.api<{ items: { type: string; data: { inputs?: object[] } }[] }>(
    'GET',
    '/api/rooms/demo/events?type=view.*&limit=50',
  );
  const arranged = items.filter(({ type }) => type === 'view.arranged');
  expect([arranged.length, items.length - arranged.length]).toEqual([4, 3]);
  expect(arranged[0]?.data.inputs).toHaveLength(2);
  // A picture behind everybody, and one of who shows none.
  const green = { name: 'green.png', mimeType: 'image/png', buffer: plainPng(300, [32, 160, 32]) };
  const isIn = async (path: string, key: string) =>
    (await gateway.api<Record<string, unknown>>('GET', `/api/rooms/demo/${path}`))[key];
  await view.locator('[data-testid=view-image]').setInputFiles(green);
  await view.locator('[data-testid=view-image-remove]').waitFor();
  expect(await isIn('views/common', 'hasBackgroundImage')).toBe(true);
  await view.locator('[data-testid=view-image-remove]').click();
  await view.locator('[data-testid=view-image-remove]').waitFor({ state: 'detached' });
  expect(await isIn('views/common', 'hasBackgroundImage')).toBe(false);
  await view.locator('[data-testid=view-image]').setInputFiles({ ...green, buffer: Buffer.from('no picture') });
  await admin.page.getByText('green.png is no picture that can be read.').waitFor();
  const blue = `participants/${cameras[1]?.participant.id}`;
  const person = admin.page.locator('[data-testid=participant-row][data-name=blue]');
  await person.getByTestId('avatar').click();
  await admin.at('avatar-file').setInputFiles(green);
  await admin.at('avatar-form-submit').click();
  await admin.at('avatar-dialog').waitFor({ state: 'detached' });
  expect(await isIn(blue, 'avatarId')).toMatch(/^[0-9a-f]{16}$/);
  await person.getByTestId('avatar').click();
  await admin.at('avatar-take').click();
  await admin.at('avatar-dialog').waitFor({ state: 'detached' });
  expect(await isIn(blue, 'avatarId')).toBeNull();
  await admin.close();
  for (const camera of cameras) await camera.close();
  expect(admin.errors).toEqual([]);
}, 180_000);
