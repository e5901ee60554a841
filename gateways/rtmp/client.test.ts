import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { SourceStream, SourceUnit } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { pushRtmp, type RtmpPush } from './client.ts';
import { RtmpPull } from './pull.ts';
import { defaultRtmpConfig, RtmpServer } from './server.ts';

const policy = new NetPolicy({ schemes: ['rtmp', 'rtmps'], allow: ['127.0.0.1'] });
const avcC = Buffer.from('0164001fffe100046764002801000468ee3cb0', 'hex');
const video: SourceStream = {
  id: 0,
  kind: 'video',
  codec: 'h264',
  framing: { kind: 'length_prefixed', lengthSize: 4 },
  config: avcC,
  width: 640,
};
const audio: SourceStream = { id: 1, kind: 'audio', codec: 'opus', framing: { kind: 'bare' } };

function frame(streamId: number, ms: number, isKey = true, bytes = 10): SourceUnit {
  return { kind: 'access_unit', streamId, ptsUs: ms * 1_000, dtsUs: ms * 1_000, isKey, data: Buffer.alloc(bytes, 1) };
}

describe('a push to a server of ours', () => {
  const described: SourceStream[] = [];
  const units: SourceUnit[] = [];
  let server: RtmpServer;
  let push: RtmpPush | undefined;

  beforeEach(async () => {
    described.length = 0;
    units.length = 0;
    server = await RtmpServer.create(
      {
        log: new KeepingLog(),
        authorizePublish: async ({ streamName }) => {
          if (streamName !== 'key') throw new GatewayError('unauthorized', `No key ${streamName} here.`);
          return {
            publisherId: streamName,
            whenBusy: 'reject',
            accept: (source) =>
              source.start({
                describe: (stream) => described.push(stream),
                deliver: (unit) => units.push(unit),
              }),
          };
        },
      },
      { ...defaultRtmpConfig, host: '127.0.0.1', port: 0, tlsPort: undefined },
    );
  });

  afterEach(async () => {
    await push?.close();
    await server.close();
  });

  const url = (name: string) => `rtmp://127.0.0.1:${server.port}/live/${name}`;

  test('carries legacy and enhanced codecs, timestamps from zero', async () => {
    push = await pushRtmp({ url: url('key?token=1'), policy });
    expect(push.canCarry('av1')).toBe(true);
    push.describe(video);
    push.describe(audio);
    push.deliver(frame(0, 5_000));
    push.deliver(frame(1, 5_010));
    push.deliver(frame(0, 5_033, false));
    await expect.poll(() => units.length).toBe(3);
    expect(described).toMatchObject([
      { codec: 'h264', config: avcC, width: 640 },
      { codec: 'opus', framing: { kind: 'bare' } },
    ]);
    expect(units).toMatchObject([
      { streamId: 0, dtsUs: 0, isKey: true },
      { streamId: 1, dtsUs: 10_000 },
      { streamId: 0, dtsUs: 33_000, isKey: false },
    ]);
    expect(push.sentFrames).toBe(3);
  });

  test('that is refused fails with the words of the server, without the key', async () => {
    const refused = pushRtmp({ url: url('wrong-secret'), policy });
    await expect(refused).rejects.toMatchObject({ code: 'upstream_refused' });
    await expect(refused).rejects.toThrow('The RTMP server refused the stream: No key … here.');
  });

  test('that the server ends has a failure', async () => {
    push = await pushRtmp({ url: url('key'), policy });
    await server.close();
    await push.done;
    expect(push.failure?.code).toBe('upstream_refused'); // within two seconds of the start
    push.deliver(frame(0, 0));
  });

  test('is closed in order, and the server sees a regular end', async () => {
    push = await pushRtmp({ url: url('key'), policy });
    expect(await push.close()).toBe('requested');
    expect(push.failure).toBeUndefined();
    await expect.poll(() => server.publisherCount).toBe(0);
  });

  test('refuses what RTMP cannot carry', async () => {
    const open = await pushRtmp({ url: url('key'), policy });
    push = open;
    expect(() => open.describe({ ...audio, codec: 'g722' })).toThrow('cannot carry g722');
  });

  test('may not go where the policy does not let it', async () => {
    const strict = new NetPolicy({ schemes: ['rtmp'] });
    await expect(pushRtmp({ url: url('key'), policy: strict })).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('a server that misbehaves', () => {
  let peer: Server;
  let sockets: Socket[];
  let behave: (socket: Socket) => void;

  beforeEach(async () => {
    sockets = [];
    peer = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined));
      behave(socket);
    }).listen(0, '127.0.0.1');
    await once(peer, 'listening');
  });

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    peer.close();
  });

  const url = () => `rtmp://127.0.0.1:${(peer.address() as { port: number }).port}/live/key`;

  test.each<[string, (socket: Socket) => void, string]>([
    ['says nothing', () => undefined, 'timeout'],
    ['hangs up', (socket) => socket.destroy(), 'upstream_failed'],
    ['speaks HTTP', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), 'invalid_request'],
    [
      'sends noise',
      (socket) => socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(9_000, 0xff)])),
      'invalid_request',
    ],
  ])('and %s fails the push in time', async (_name, behaviour, code) => {
    behave = behaviour;
    await expect(pushRtmp({ url: url(), policy, startTimeoutMs: 150 })).rejects.toMatchObject({ code });
  });

  test('and says nothing ends a pull, which may be tried again', async () => {
    behave = () => undefined;
    const pull = new RtmpPull({ url: url(), policy, startTimeoutMs: 100 });
    pull.start({ describe: () => undefined, deliver: () => undefined });
    expect(await pull.done).toMatchObject({ reason: 'failed', error: { code: 'timeout' }, mayReturn: true });
  });

  test('is left at once when the signal fires', async () => {
    behave = () => undefined;
    const abort = new AbortController();
    const pushing = pushRtmp({ url: url(), policy, startTimeoutMs: 60_000 }, abort.signal);
    abort.abort();
    await expect(pushing).rejects.toMatchObject({ code: 'closed' });
  });

  test('that is not there is named', async () => {
    const gone = url();
    peer.close();
    await once(peer, 'close');
    await expect(pushRtmp({ url: gone, policy })).rejects.toThrow('ECONNREFUSED');
  });
});
