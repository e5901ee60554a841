import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetPolicy } from '#core/net-policy.ts';
import { httpSend } from './http-send.ts';

/** Answers with the status that the path names. */
let server: Server;
const policy = new NetPolicy({ schemes: ['http'], allow: ['127.0.0.1'] });

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(Number(request.url?.slice(1))).end('why'));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => void server.close());

const send = (method: 'PUT' | 'DELETE', status: number) =>
  httpSend(
    new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${status}`),
    method === 'PUT' ? Uint8Array.of(1) : undefined,
    { method, policy, signal: new AbortController().signal, timeoutMs: 10_000 },
  );

test.each([
  ['PUT', 201, undefined],
  ['PUT', 404, 'upstream_failed'],
  ['PUT', 403, 'upstream_refused'],
  ['DELETE', 204, undefined],
  ['DELETE', 404, undefined],
  ['DELETE', 410, undefined],
  ['DELETE', 405, 'upstream_failed'],
  ['DELETE', 401, 'upstream_refused'],
] as const)('%s that is answered %i fails with %s', async (method, status, code) => {
  const sent = send(method, status);
  if (code === undefined) await sent;
  else await expect(sent).rejects.toMatchObject({ code });
});
