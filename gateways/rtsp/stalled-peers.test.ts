// Peers of the RTSP server that send half of something, or nonsense, on real sockets: they are cut off, and nobody else
// notices.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { defaultRtspConfig, RtspServer } from './server.ts';

let server: RtspServer;
const sockets: Socket[] = [];

beforeEach(async () => {
  const refuse = async () => {
    throw new GatewayError('not_found', 'There is nothing.');
  };
  server = await RtspServer.create(
    { log: new KeepingLog(), passwordOf: async () => undefined, authorizePublish: refuse, authorizePlay: refuse },
    {
      ...{ ...defaultRtspConfig, host: '127.0.0.1', port: 0, tlsPort: undefined, firstUdpPort: 0, lastUdpPort: 0 },
      ...{ setupTimeoutMs: 400 },
    },
  );
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

function dial(): Socket {
  const socket = connect(server.port as number, '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

async function expectAnswers(): Promise<void> {
  const socket = dial();
  socket.write('OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n');
  const [data] = (await once(socket, 'data')) as [Buffer];
  expect(data.toString()).toMatch(/^RTSP\/1\.0 200 /);
  socket.destroy();
}

const request = 'ANNOUNCE rtsp://127.0.0.1/live/key RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 400\r\n\r\nv=0\r\n';

test('whatever comes, whole or cut off, its connection ends, and others are answered meanwhile', async () => {
  const truncated = fc.nat(request.length).map((length) => Buffer.from(request.slice(0, length)));
  const garbage = fc.uint8Array({ minLength: 1, maxLength: 6_000 }).map((bytes) => Buffer.from(bytes));
  // A frame of 65 535 bytes of which few come.
  const frame = fc
    .nat(255)
    .map((channel) => Buffer.concat([Buffer.from([0x24, channel, 0xff, 0xff]), Buffer.alloc(100)]));
  await fc.assert(
    fc.asyncProperty(fc.oneof(truncated, garbage, frame), async (bytes) => {
      const socket = dial();
      socket.resume().write(bytes);
      await expectAnswers();
      await once(socket, 'close');
    }),
    { numRuns: 24, endOnFailure: true },
  );
  await expect.poll(() => server.connectionCount).toBe(0);
}, 60_000);
