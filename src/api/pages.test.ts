import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, test, vi } from 'vitest';
import { someApi } from '#test/support/some-api.ts';

let folder: string;
let webRoot: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-pages-'));
  webRoot = join(folder, 'dist');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const script = `console.log('${'x'.repeat(2_000)}')`;

function build(): void {
  mkdirSync(join(webRoot, 'assets'), { recursive: true });
  writeFileSync(join(webRoot, 'meeting.html'), '<!doctype html><title>Meeting</title>');
  writeFileSync(join(webRoot, 'console.html'), '<!doctype html><title>Console</title>');
  writeFileSync(join(webRoot, 'assets', 'meeting-1a2B_c-D.js'), script);
  writeFileSync(join(webRoot, 'assets', 'switchyard-client.js'), 'export {}');
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  symlinkSync(join(folder, 'secret.txt'), join(webRoot, 'assets', 'link.txt'));
}

describe('the pages', () => {
  test('are the meeting for every room, and the console, always asked for anew', async () => {
    build();
    const { call } = await someApi({ webRoot });
    for (const room of ['demo', 'RM_1', '%C3%A9']) {
      const { status, text, headers } = await call('GET', `/r/${room}`);
      assert.deepEqual([status, headers.get('cache-control')], [200, 'no-cache']);
      assert.match(text, /Meeting/);
      assert.match(headers.get('content-type') ?? '', /^text\/html; charset=utf-8$/i);
      assert.equal(
        (await call('GET', `/r/${room}`, { headers: { 'if-none-match': headers.get('etag') ?? '' } })).status,
        304,
      );
    }
    assert.match((await call('GET', '/console')).text, /Console/);
    const home = await call('GET', '/');
    assert.deepEqual([home.status, home.headers.get('location')], [302, '/console']);
  });

  test('say what to run while they are not built, and appear once they are', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { call } = await someApi({ webRoot });
    const { status, text } = await call('GET', '/r/demo');
    assert.equal(status, 503);
    assert.match(text, /npm run build:web/);
    build();
    vi.advanceTimersByTime(1_001);
    assert.match((await call('GET', '/r/demo')).text, /Meeting/);
  });
});

describe('assets', () => {
  test('with a hash in their name are kept for ever, others are asked for anew', async () => {
    build();
    const { call } = await someApi({ webRoot });
    const hashed = await call('GET', '/assets/meeting-1a2B_c-D.js');
    assert.equal(hashed.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(hashed.headers.get('content-type'), 'text/javascript; charset=utf-8');
    const plain = await call('GET', '/assets/switchyard-client.js');
    assert.equal(plain.headers.get('cache-control'), 'no-cache');
    // Other people's pages import the client library.
    assert.equal(plain.headers.get('access-control-allow-origin'), '*');
    assert.equal(plain.headers.get('cross-origin-resource-policy'), 'cross-origin');
  });

  test('are compressed for who takes it', async () => {
    build();
    const { send } = await someApi({ webRoot });
    const packed = await send('GET', '/assets/meeting-1a2B_c-D.js', { headers: { 'accept-encoding': 'br, gzip' } });
    assert.deepEqual([packed.headers.get('content-encoding'), packed.headers.get('vary')], ['gzip', 'Accept-Encoding']);
    assert.equal(gunzipSync(await packed.arrayBuffer()).toString(), script);
    const plain = await send('GET', '/assets/meeting-1a2B_c-D.js');
    assert.equal(plain.headers.get('content-encoding'), null);
    assert.equal(await plain.text(), script);
  });

  test.each([
    '/assets/../../secret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/assets/..%5c..%5csecret.txt',
    '/assets//etc/passwd',
    '/assets/%2fetc%2fpasswd',
    '/assets/link.txt',
    '/assets/',
    '/assets',
    '/assets/.',
    '/assets/meeting-1a2B_c-D.js%00',
    '/assets/__proto__',
    '/r/../../secret.txt',
    '/docs/..%2f..%2fpackage.json',
    '/docs/index.html',
    '/docs/absolute-path.js',
    '/docs/package.json',
    '/secret.txt',
    '/meeting.html',
    '/%2e%2e/secret.txt',
  ])('never lead out of their folder: %s', async (path) => {
    build();
    const { call } = await someApi({ webRoot });
    const { status, text } = await call('GET', path);
    assert.equal(status, 404, path);
    assert.ok(!text.includes('secret\n') && !text.includes('root:'));
  });
});

describe('the documentation', () => {
  test('is served whole from here: no other origin, no inline script', async () => {
    const { call } = await someApi();
    const { status, text, headers } = await call('GET', '/docs');
    assert.equal(status, 200);
    assert.ok(!/https?:\/\//.test(text) && !/<script>/.test(text));
    for (const [, path] of text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      assert.equal((await call('GET', path ?? '')).status, 200, path);
    }
    assert.match(headers.get('content-security-policy') ?? '', /style-src 'self' 'unsafe-inline'/);
    assert.match((await call('GET', '/docs/init.js')).text, /url: '\/openapi\.json'/);
  });
});
