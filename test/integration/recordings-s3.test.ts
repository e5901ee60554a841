// Against s3rver, an S3-compatible server. It knows keys and looks at signatures, but lets a wrong secret pass.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { S3Config } from '#config/recordings.ts';
import { S3Uploader } from '#recordings/s3.ts';
import { type Serve, WebServer } from '#test/support/web-server.ts';

const mebibyte = 1024 * 1024;
// What s3rver knows of by itself.
const keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
let folder: string;
let storage: S3rver;
let config: S3Config;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-s3-'));
  const options = { address: '127.0.0.1', port: 0, silent: true, directory: join(folder, 'store') };
  storage = new S3rver({ ...options, configureBuckets: [{ name: 'kept', configs: [] }] });
  const { port } = await storage.run();
  config = {
    ...{ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', bucket: 'kept', prefix: 'rec/', ...keys },
    ...{ hasPathStyle: true, partBytes: 5 * mebibyte, isUsual: true, deletesLocal: false },
  };
});

afterAll(async () => {
  await storage.close();
  await rm(folder, { recursive: true, force: true });
});

async function someFile(bytes: number): Promise<{ path: string; content: Buffer }> {
  const content = randomBytes(bytes);
  const path = join(folder, `file-${bytes}`);
  await writeFile(path, content);
  return { path, content };
}

const { signal } = new AbortController();
const stored = async (key: string) => {
  const client = new AwsClient({ ...keys, region: 'us-east-1', service: 's3' });
  return Buffer.from(await (await client.fetch(`${config.endpoint}/kept/${key}`)).arrayBuffer());
};

describe('an upload', () => {
  test.each([0, 1_000, 12 * mebibyte])('of %i bytes arrives as it is', async (bytes) => {
    const { path, content } = await someFile(bytes);
    const sent: number[] = [];
    const url = await new S3Uploader(config).upload(
      path,
      `daily/a b ${bytes}.mp4`,
      (count) => sent.push(count),
      signal,
    );
    expect(url).toBe(`s3://kept/rec/daily/a b ${bytes}.mp4`);
    expect((await stored(`rec/daily/a%20b%20${bytes}.mp4`)).equals(content)).toBe(true);
    expect(sent.at(-1)).toBe(bytes);
    if (bytes > config.partBytes) expect(sent.length).toBeGreaterThan(2);
  });

  test('with a key that nobody has is refused with the reason of the storage', async () => {
    const { path } = await someFile(10);
    const uploader = new S3Uploader({ ...config, accessKeyId: 'nobody' });
    await expect(uploader.upload(path, 'x.mp4', () => undefined, signal)).rejects.toMatchObject({
      code: 'upstream_refused',
      message: expect.stringContaining('InvalidAccessKeyId'),
    });
  });

  test('into a bucket that is not there says so', async () => {
    const { path } = await someFile(10);
    const uploader = new S3Uploader({ ...config, bucket: 'none' });
    await expect(uploader.upload(path, 'x.mp4', () => undefined, signal)).rejects.toThrow(/NoSuchBucket/);
  });

  test('to nobody can be tried again', async () => {
    const { path } = await someFile(10);
    const uploader = new S3Uploader({ ...config, endpoint: 'http://127.0.0.1:9' });
    await expect(uploader.upload(path, 'x.mp4', () => undefined, signal)).rejects.toMatchObject({
      code: 'upstream_failed',
    });
  });

  // Each answers every request for this object.
  test.each<[string, number, RegExp, Serve]>([
    ['a page of 200 that stores nothing', 10, /no S3/, (_, response) => response.end('<html>Please sign in</html>')],
    [
      'a page of 200 for pieces',
      6 * mebibyte,
      /no S3/,
      ({ method }, response) => response.end(method === 'POST' ? '<UploadId>1</UploadId>' : ''),
    ],
    ['a redirect', 10, /answered 307/, (_, response) => response.writeHead(307, { location: '/elsewhere' }).end()],
    [
      'an answer without an end',
      10,
      /answered 500: Slow/,
      (_, response) => {
        response.writeHead(500).write('<Code>Slow</Code>');
        const fill = () => {
          while (response.write(Buffer.alloc(64 * 1024)));
        };
        response.on('drain', fill);
        fill();
      },
    ],
  ])('that gets %s has failed', async (_, bytes, message, answer) => {
    const { path } = await someFile(bytes);
    await using server = await WebServer.start();
    server.handlers.set('/kept/rec/x.mp4', (request, response) => {
      request.resume().on('end', () => answer(request, response));
    });
    const uploader = new S3Uploader({ ...config, endpoint: server.urlOf('') });
    await expect(uploader.upload(path, 'x.mp4', () => undefined, signal)).rejects.toThrow(message);
    expect(server.requests).not.toContain('/elsewhere');
  });
});
