import { expect, test } from 'vitest';
import { NetPolicy } from '#core/net-policy.ts';
import { plainPng } from '#test/support/png.ts';
import { WebServer } from '#test/support/web-server.ts';
import { AvatarFetcher } from './avatar-fetcher.ts';

const policy = new NetPolicy({ schemes: ['http'], allow: ['127.0.0.1'], otherwise: 'deny' });

test('of a hundred who come at once each has an avatar of his own, few fetched at a time', async () => {
  await using server = await WebServer.start();
  const fetcher = new AvatarFetcher({ policy });
  let [open, most] = [0, 0];
  const urls = Array.from({ length: 100 }, (_, index) => {
    const path = `/${index}.png`;
    server.handlers.set(path, (_request, response) => {
      open += 1;
      most = Math.max(most, open);
      // Every tenth is not there: whoever waits behind it is not held up.
      setImmediate(() => {
        open -= 1;
        if (index % 10 === 0) response.writeHead(404).end();
        else response.end(plainPng(16, [index, 2, 3]));
      });
    });
    return server.urlOf(path);
  });
  const had = await Promise.allSettled(urls.map((url) => fetcher.fetch(url)));
  had.forEach((one, index) => {
    if (index % 10 === 0) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'upstream_failed' } });
    else expect(one).toMatchObject({ value: plainPng(16, [index, 2, 3]) });
  });
  expect(most).toBeLessThanOrEqual(32);
  // Places are free again.
  server.files.set('/late.png', plainPng(16, [9, 9, 9]));
  expect(await fetcher.fetch(server.urlOf('/late.png'))).toEqual(plainPng(16, [9, 9, 9]));
  await fetcher.close();
});

test('who waits for a turn when it is closed is told so, and past a thousand who wait nobody more is taken', async () => {
  await using server = await WebServer.start();
  const fetcher = new AvatarFetcher({ policy });
  const isAsked = Promise.withResolvers<void>();
  const urls = Array.from({ length: 1_032 }, (_, index) => server.urlOf(`/${index}.png`));
  server.handlers.set('/0.png', () => isAsked.resolve());
  for (let index = 1; index < 32; index++) server.handlers.set(`/${index}.png`, () => undefined);
  const waiting = Promise.allSettled(urls.map((url) => fetcher.fetch(url)));
  await isAsked.promise;
  await expect(fetcher.fetch(server.urlOf('/more.png'))).rejects.toMatchObject({ code: 'overloaded' });
  await fetcher.close();
  const codes = (await waiting).map((one) => one.status === 'rejected' && one.reason.code);
  expect(new Set(codes)).toEqual(new Set(['closed']));
  expect(server.requests.length).toBeLessThanOrEqual(32);
});
