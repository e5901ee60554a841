import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileResponse, parseRange } from './file-response.ts';

const content = '0123456789';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-file-'));
  await writeFile(join(folder, 'a.mp4'), content);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const ask = (headers: Record<string, string> = {}, method = 'GET', name = 'a.mp4') =>
  fileResponse({
    ...{ path: join(folder, name), contentType: 'video/mp4', fileName: 'Büro "1".mp4', isInline: false },
    ...{ request: new Request('http://gateway.test/', { method, headers }), requestId: 'r' },
  });

describe('a range', () => {
  test.each([
    ['bytes=0-3', { start: 0, end: 3 }],
    ['bytes=8-', { start: 8, end: 9 }],
    ['bytes=-2', { start: 8, end: 9 }],
    ['bytes=-99', { start: 0, end: 9 }],
    ['bytes=5-99', { start: 5, end: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=3-1', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,3-4', undefined],
    ['items=0-1', undefined],
    ['bytes=a-b', undefined],
    [null, undefined],
  ])('%s', (header, expected) => {
    expect(parseRange(header, 10)).toEqual(expected);
  });
});

describe('a file', () => {
  test('is sent as a whole, with its name in letters for everybody and in its own', async () => {
    const response = await ask();
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(content);
    expect(response.headers.get('content-length')).toBe('10');
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="B_ro _1_.mp4"; filename*=UTF-8''B%C3%BCro%20%221%22.mp4`,
    );
  });

  test('is sent in part: 206 with Content-Range', async () => {
    const response = await ask({ range: 'bytes=2-4' });
    expect([response.status, response.headers.get('content-range'), await response.text()]).toEqual([
      ...[206, 'bytes 2-4/10', '234'],
    ]);
  });

  test('has no bytes behind its end: 416 with its size', async () => {
    const response = await ask({ range: 'bytes=10-' });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */10']);
  });

  test('goes on where a download broke off only if it is still the same', async () => {
    const etag = (await ask()).headers.get('etag') ?? '';
    expect((await ask({ range: 'bytes=5-', 'if-range': etag })).status).toBe(206);
    expect((await ask({ range: 'bytes=5-', 'if-range': '"other"' })).status).toBe(200);
    expect((await ask({ 'if-none-match': etag })).status).toBe(304);
  });

  test('is described without its bytes: HEAD', async () => {
    const response = await ask({}, 'HEAD');
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['10', '']);
  });

  test('that is gone is not found', async () => {
    await expect(ask({}, 'GET', 'gone.mp4')).rejects.toThrow(/not there any more/);
  });
});
