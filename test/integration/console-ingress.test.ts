import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '#test/support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { accessUnits, PushTarget } from '#test/support/push-target.ts';
import { obsEncoding, testInputs } from '#test/support/test-picture.ts';

let gateway: TestGateway;
let browser: Browser;
let admin: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway({ netPolicy: { allow: ['127.0.0.2'] } }), launchChromium()]);
  admin = await MeetingPeer.open(browser, `${gateway.url}/console#/rooms/demo`, {
    name: 'Admin',
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
  });
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  await admin.at('stream-keys').waitFor();
});

afterAll(async () => {
  await admin?.close();
  await browser?.close();
  await gateway?.close();
});

const field = (form: string, path: string) => admin.page.locator(`[data-testid=${form}] [data-field=${path}]`);
const row = (kind: string, name: string) => admin.page.locator(`[data-testid=${kind}-row][data-name="${name}"]`);

test('a stream key from the console lets an encoder in, is seen live, and ends it when it is deleted', async () => {
  await admin.at('create-stream-key').click();
  await admin.at('stream-key-form').locator('[data-field="name"]').fill('Studio');
  await admin.at('stream-key-form-submit').click();
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
  await field('streaming-in', 'url').fill('rtsp://127.0.0.1/x');
  await admin.at('streaming-in-submit').click();
  await admin.at('new-streaming-in').getByText('explicit allow').waitFor();
  await field('streaming-in', 'url').fill('rtsp://user:hunter2@localhost/x');
  await field('streaming-in', 'name').fill('Gate');
  await admin.at('streaming-in-submit').click();
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

test('a room is pushed from the console to a service, which gets it until it is removed; a key is not shown again', async () => {
  const target = await PushTarget.start('127.0.0.2');
  try {
    await admin.at('create-streaming-out').click();
    await admin.at('streaming-out-submit').click();
    await admin.at('new-streaming-out').locator('[data-flaw=urls]').getByText('names no target').waitFor();
    await field('streaming-out', 'urls').fill(target.url('secret-key'));
    await field('streaming-out', 'name').fill('Service');
    await admin.at('streaming-out-submit').click();
    await row('streaming-out', 'Service').getByText('Live', { exact: true }).waitFor({ timeout: 60_000 });
    const sink = await target.connection(0);
    await sink.until(() => accessUnits(sink, 'video').length > 5);
    expect(await admin.at('streaming-outs').textContent()).not.toContain('secret-key');
    await row('streaming-out', 'Service').locator('[data-testid=turn-streaming-out]').click();
    await row('streaming-out', 'Service').getByText('Turn on').waitFor();
    await row('streaming-out', 'Service').locator('[data-testid=delete-streaming-out]').click();
    await admin.at('confirm-deed').click();
    await row('streaming-out', 'Service').waitFor({ state: 'detached' });
    expect(admin.errors).toEqual([]);
  } finally {
    await target.close();
  }
}, 120_000);

test('the console has addresses for players, which play', async () => {
  await admin.at('make-play-addresses').click();
  const rtsp = (await admin.at('play-rtsp').textContent()) ?? '';
  const hls = (await admin.at('play-hls').textContent()) ?? '';
  await admin.at('copy-play-rtsp').click();
  await admin.page.getByText('The address is in the clipboard.').waitFor();
  const probe = new PeerProcess('ffprobe', ['-v', 'error', '-show_streams', '-rtsp_transport', 'tcp', '-i', rtsp]);
  await probe.exited;
  expect(probe.output).toMatch(/codec_name=h264[\s\S]*codec_name=opus/);
  const playlist = await fetch(hls, { signal: AbortSignal.timeout(30_000) });
  expect(await playlist.text()).toContain('#EXT-X-STREAM-INF');
  expect(admin.errors).toEqual([]);
}, 120_000);
