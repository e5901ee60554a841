// Peers of the RTMP server that send half of something, or nonsense, on real sockets: they are cut off with a word in the
// log, and nobody else notices.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MediaSource, SourceEnd } from '#core/media-source.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { RtmpPeer } from '#test/support/rtmp-peer.ts';
import { defaultRtmpConfig, RtmpServer } from './server.ts';

const avcConfig = Buffer.from('17000000000142c01effe1000467420000010004680000ff', 'hex');
const keyFrame = Buffer.concat([Buffer.from('1701000000', 'hex'), Buffer.alloc(4_000, 0x65)]);

let log: KeepingLog;
let server: RtmpServer;
let sinks: Map<string, CollectingSink>;
let ends: SourceEnd[];
const sockets: Socket[] = [];

beforeEach(async () => {
  log = new KeepingLog();
  sinks = new Map();
  ends = [];
  const accept = (key: string) => (source: MediaSource) => {
    const sink = new CollectingSink();
    sinks.set(key, sink);
    source.start(sink);
    void source.done.then((end) => ends.push(end));
  };
  server = await RtmpServer.create(
    {
      log,
      authorizePublish: async ({ streamName }) => ({
        publisherId: streamName,
        whenBusy: 'reject',
        accept: accept(streamName),
      }),
    },
    {
      ...defaultRtmpConfig,
      host: '127.0.0.1',
      port: 0,
      tlsPort: undefined,
      idleTimeoutMs: 400,
      handshakeTimeoutMs: 400,
    },
  );
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

async function publisher(key: string): Promise<RtmpPeer> {
  const peer = await RtmpPeer.connect(server.port as number);
  sockets.push(peer.socket);
  await peer.publish(key);
  peer.media('video', avcConfig);
  return peer;
}

test('a publisher that stops in the middle of a frame is cut off and may return; the one beside it goes on', async () => {
  const [stalling, other] = [await publisher('stalling'), await publisher('other')];
  const sendings = setInterval(() => other.media('video', keyFrame), 50);
  // A frame of 100 000 bytes on chunk stream 6, of which 100 come.
  const head = Buffer.from('060000000186a00901000000', 'hex');
  stalling.raw(Buffer.concat([head, Buffer.alloc(100, 0x17)]));
  await stalling.closed;
  clearInterval(sendings);
  await expect.poll(() => ends).toMatchObject([{ reason: 'timeout', mayReturn: true, error: { code: 'timeout' } }]);
  expect(sinks.get('stalling')?.units).toEqual([]);
  expect(sinks.get('other')?.units.length).toBeGreaterThan(3);
  const line = log.lines.find(({ fields, message }) => /timeout/.test(JSON.stringify({ fields, message })));
  expect(line).toBeDefined();
});

test('whatever a handshake is, its connection ends, and a publisher beside it notices nothing', async () => {
  const beside = await publisher('beside');
  const sendings = setInterval(() => beside.media('video', keyFrame), 50);
  // Of the right version, cut off anywhere; and of any other beginning.
  const truncated = fc
    .integer({ min: 0, max: 3_073 })
    .map((length) => Buffer.concat([Buffer.of(3), Buffer.alloc(length, 7)]));
  const garbage = fc.uint8Array({ minLength: 1, maxLength: 6_000 }).map((bytes) => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(fc.oneof(truncated, garbage), async (bytes) => {
      const socket = connect(server.port as number, '127.0.0.1').on('error', () => undefined);
      sockets.push(socket);
      socket.resume().write(bytes);
      await once(socket, 'close');
    }),
    { numRuns: 24, endOnFailure: true },
  );
  clearInterval(sendings);
  const count = sinks.get('beside')?.units.length ?? 0;
  beside.media('video', keyFrame);
  await sinks.get('beside')?.until(() => (sinks.get('beside')?.units.length ?? 0) > count);
  await expect.poll(() => server.connectionCount).toBe(1);
}, 60_000);
