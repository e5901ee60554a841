// Streams over HTTP and files in the room: HLS from a web server, a film from the media folder, seen and heard by a browser.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StreamingInResource } from '#api/contract.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { encodeFiles } from '#test/support/ffmpeg-clip.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { obsEncoding, openViewerPage, testInputs } from '#test/support/test-picture.ts';
import { WebServer } from '#test/support/web-server.ts';

let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let web: WebServer;
let folder: string;

/** As fast as it goes: files are made before anybody looks. */
const inputs = testInputs.filter((argument) => argument !== '-re');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'http-pull-room-'));
  web = await WebServer.start();
  await encodeFiles(...inputs, ...obsEncoding(0), '-t', '30', join(folder, 'film.mp4'));
  const list = ['-f', 'hls', '-hls_time', '2', '-hls_list_size', '0', '-hls_segment_filename', join(folder, 's%d.ts')];
  await encodeFiles(...inputs, ...obsEncoding(2), '-t', '30', ...list, join(folder, 'index.m3u8'));
  for (const file of readdirSync(folder)) web.files.set(`/live/${file}`, readFileSync(join(folder, file)));
  gateway = await startGateway({ netPolicy: { allow: ['127.0.0.1'] }, ingress: { mediaFolder: folder } });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
  await web?.close();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ['hls', 'HLS with B-frames', () => web.urlOf('/live/index.m3u8?token=secret'), 'transcode'],
  ['file', 'a film of the media folder', () => 'file:///film.mp4', 'forward'],
  ['film', 'a film over HTTP', () => web.urlOf('/live/film.mp4'), 'forward'],
] as const satisfies readonly (readonly [string, string, () => string, string])[])(
  '%s: %s is seen and heard',
  async (room, name, urlOf, action) => {
    await gateway.api('POST', '/api/rooms', { name: room });
    const path = `/api/rooms/${room}/streaming-ins`;
    const made = await gateway.api<StreamingInResource>('POST', path, { url: urlOf(), name, loop: true });
    expect(made.url).not.toContain('secret');
    const read = () => gateway.api<StreamingInResource>('GET', `${path}/${made.id}`);
    await expect
      .poll(read, { timeout: 40_000 })
      .toMatchObject({ state: 'live', streams: [expect.any(String), expect.any(String)] });
    const token = await gateway.token({ room, user: 'viewer', role: 'viewer' });
    const { handle } = await page.call<{ handle: string }>('play', { url: `${gateway.url}/whep/${room}`, token });
    await page.call('sees', { handle, color: 'green' });
    await page.call('hears', { handle, hz: 440 });
    const { verdicts } = await read();
    expect(verdicts.find(({ kind }) => kind === 'video')).toMatchObject({ action });
    expect(verdicts.find(({ kind }) => kind === 'audio')).toMatchObject({ from: 'aac', to: 'opus' });
    await gateway.api('DELETE', `${path}/${made.id}`);
    expect(JSON.stringify(gateway.log.lines)).not.toContain('secret');
  },
  120_000,
);

test('a film that is not looped is over at its end, with the reason, and is played again when asked for', async () => {
  await encodeFiles(...inputs, ...obsEncoding(0), '-t', '2', join(folder, 'short.mp4'));
  await gateway.api('POST', '/api/rooms', { name: 'short' });
  const path = '/api/rooms/short/streaming-ins';
  const made = await gateway.api<StreamingInResource>('POST', path, { url: 'file:///short.mp4' });
  expect(made.name).toBe('short.mp4');
  const read = () => gateway.api<StreamingInResource>('GET', `${path}/${made.id}`);
  const isOver = { state: 'stopped', reason: 'source_ended', nextAttemptAt: null };
  await expect.poll(read, { timeout: 40_000 }).toMatchObject(isOver);
  const again = await gateway.api<StreamingInResource>('PATCH', `${path}/${made.id}?wait=20`, { isEnabled: true });
  expect(again.state).not.toBe('failed');
  await expect.poll(read, { timeout: 40_000 }).toMatchObject(isOver);
}, 120_000);
