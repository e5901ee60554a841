import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { downloadWorker } from './worker-prebuilt.mjs';

/** @type {string} */
let dir;
/** @type {import('node:http').Server} */
let releases;
/** @type {(url: string) => Buffer | number} */
let answer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-prebuilt-'));
  vi.stubEnv('SWITCHYARD_CACHE', dir);
  vi.stubEnv('MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD', '');
  releases = createServer((request, response) => {
    const result = answer(request.url ?? '');
    response.writeHead(typeof result === 'number' ? result : 200).end(typeof result === 'number' ? '' : result);
  });
  await new Promise((resolve) => releases.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (releases.address());
  vi.stubEnv('MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL', `http://127.0.0.1:${port}`);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  releases.close();
  rmSync(dir, { recursive: true });
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

function archiveOfWorker() {
  writeFileSync(join(dir, 'mediasoup-worker'), 'a worker');
  chmodSync(join(dir, 'mediasoup-worker'), 0o644);
  return execFileSync('tar', ['-czf', '-', '-C', dir, 'mediasoup-worker']);
}

test('a published worker is unpacked, made executable, tried and handed over', async () => {
  /** @type {string[]} */
  const asked = [];
  answer = (url) => {
    asked.push(url);
    return archiveOfWorker();
  };
  const worker = await downloadWorker('3.27.1', (binary) => readFileSync(binary, 'utf8') === 'a worker');
  expect(worker?.origin.by).toBe('published');
  expect(asked).toEqual([
    expect.stringMatching(/^\/3\.27\.1\/mediasoup-worker-3\.27\.1-[a-z0-9]+-[a-z0-9]+(-kernel\d+)?\.tgz$/),
  ]);
});

test.each([
  ['is not published for this platform', 404, true],
  ['does not run here', undefined, false],
  ['arrives broken', Buffer.from('<html>sign in to this network</html>'), true],
])('a worker that %s is left for a build', async (_, given, doesRun) => {
  answer = () => given ?? archiveOfWorker();
  expect(await downloadWorker('3.27.1', () => doesRun)).toBeUndefined();
});

test('nobody is asked when mediasoup is told to skip the download', async () => {
  vi.stubEnv('MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD', '1');
  answer = () => {
    throw new Error('asked');
  };
  expect(await downloadWorker('3.27.1', () => true)).toBeUndefined();
});
