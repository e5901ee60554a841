import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { NetPolicy } from '#core/net-policy.ts';
import { dial } from './dial.ts';

const policy = new NetPolicy({ schemes: ['rtmps'], allow: ['127.0.0.1'] });
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const dialTo = (port: number) =>
  dial({ scheme: 'rtmps', host: '127.0.0.1', port }, true, { policy, signal: new AbortController().signal });

test('a server that speaks no TLS is not said to have a wrong certificate', async () => {
  const plain = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('RTSP/1.0 400 Bad Request\r\n\r\n');
  });
  const dialling = dialTo(await portOf(plain));
  await expect(dialling).rejects.toMatchObject({
    code: 'upstream_refused',
    message: expect.stringMatching(/^127\.0\.0\.1:\d+ does not agree with us on TLS/),
  });
});
