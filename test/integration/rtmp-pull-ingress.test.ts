// A stream of another RTMP server in the room: nginx-rtmp with an encoder behind it, pulled by the gateway.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StreamingInResource } from '#api/contract.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { freePort, whenListening } from '#test/support/ports.ts';
import { obsEncoding, openViewerPage, testInputs } from '#test/support/test-picture.ts';

let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let port: number;
let folder: string;
const peers: PeerProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nginx-rtmp-'));
  port = await freePort();
  writeFileSync(
    join(folder, 'nginx.conf'),
    `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid ${folder}/pid; error_log stderr info;
events { worker_connections 64; }
rtmp { server { listen 127.0.0.1:${port}; application live { live on; } } }\n`,
  );
  peers.push(new PeerProcess('/usr/sbin/nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')]));
  await whenListening(port);
  gateway = await startGateway({ netPolicy: { allow: ['127.0.0.1'] } });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
});

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
  await browser?.close();
  await gateway?.close();
});

test('a stream that begins after it was asked for is seen and heard, and so is its successor', async () => {
  const url = `rtmp://127.0.0.1:${port}/live/show?token=secret`;
  const encode = () => {
    const encoder = new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(0), '-f', 'flv', url]);
    peers.push(encoder);
    return encoder;
  };
  const made = await gateway.api<StreamingInResource>('POST', '/api/rooms/demo/streaming-ins', { url, name: 'Show' });
  expect(made.url).toBe(`rtmp://127.0.0.1:${port}/live/show?token=***`);
  const live = () =>
    expect
      .poll(() => gateway.api<StreamingInResource>('GET', `/api/rooms/demo/streaming-ins/${made.id}`), {
        timeout: 20_000,
      })
      .toMatchObject({ state: 'live', streams: [expect.any(String), expect.any(String)] });
  const first = encode();
  await live();
  const token = await gateway.token({ user: 'viewer', role: 'viewer' });
  const { handle } = await page.call<{ handle: string }>('play', { url: `${gateway.url}/whep/demo`, token });
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  await first.stop('SIGKILL');
  encode();
  await live();
  await page.call('keepsPlaying', { handle, frameCount: 30 });
  expect(await page.call('state', { handle })).toBe('connected');
  expect(JSON.stringify(gateway.log.lines)).not.toContain('secret');
});

test('FLV over HTTP is seen and heard', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'flv' });
  const httpPort = await freePort();
  const address = `http://127.0.0.1:${httpPort}/live.flv`;
  // ffmpeg as the server, for one client.
  const output = ['-f', 'flv', '-listen', '1', address];
  peers.push(new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(0), ...output]));
  const url = address.replace('//', '//user:hunter2@');
  const made = await gateway.api<StreamingInResource>('POST', '/api/rooms/flv/streaming-ins', { url });
  await expect
    .poll(() => gateway.api<StreamingInResource>('GET', `/api/rooms/flv/streaming-ins/${made.id}`), { timeout: 20_000 })
    .toMatchObject({ state: 'live', streams: [expect.any(String), expect.any(String)] });
  const token = await gateway.token({ room: 'flv', user: 'viewer', role: 'viewer' });
  const { handle } = await page.call<{ handle: string }>('play', { url: `${gateway.url}/whep/flv`, token });
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  expect(JSON.stringify([made, gateway.log.lines])).not.toContain('hunter2');
});

test('a page that is no stream fails with that reason', async () => {
  const url = `${gateway.url}/openapi.json`;
  const path = '/api/rooms/demo/streaming-ins?wait=9';
  expect(await gateway.api<StreamingInResource>('POST', path, { url, name: 'Page' })).toMatchObject({
    state: 'failed',
    reason: 'source_refused',
    message: expect.stringContaining('neither HLS'),
  });
});
