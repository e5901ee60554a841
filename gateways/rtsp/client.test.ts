import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SourceEnd } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { RtspPull, type RtspPullOptions } from './client.ts';
import { RtspReader } from './interleaved.ts';
import { type HeaderFields, headerOf, type RtspRequest, serializeResponse } from './message.ts';

const policy = new NetPolicy({ schemes: ['rtsp', 'rtsps'], allow: ['127.0.0.1'] });
const sdp = 'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=rtcp-fb:96 nack pli\r\na=control:t0\r\n';

interface Answer {
  status?: number;
  fields?: HeaderFields;
  body?: string;
}

/** A camera whose answers a test chooses; what it does not choose is answered as a good camera would. */
let camera: Server;
let answers: (request: RtspRequest, socket: Socket) => Answer | undefined;
let requests: RtspRequest[];
let received: Buffer[];
let sockets: Socket[];

beforeEach(async () => {
  answers = () => ({});
  requests = [];
  received = [];
  sockets = [];
  camera = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    const reader = new RtspReader();
    socket.on('data', (data) => {
      reader.write(data);
      for (let one = reader.read(); one; one = reader.read()) {
        if (one.kind === 'request') answer(one, socket);
        else if (one.kind === 'interleaved') received.push(one.payload);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(camera, 'listening');
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  camera.close();
});

function answer(request: RtspRequest, socket: Socket): void {
  requests.push(request);
  const chosen = answers(request, socket);
  if (!chosen) return;
  const usual: Record<string, Answer> = {
    OPTIONS: { fields: { Public: 'OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER' } },
    DESCRIBE: { body: sdp, fields: { 'Content-Type': 'application/sdp' } },
    SETUP: { fields: { Transport: 'RTP/AVP/TCP;unicast;interleaved=6-7', Session: 'abc;timeout=1' } },
  };
  const { status = 200, fields = {}, body = '' } = { ...usual[request.method], ...chosen };
  socket.write(serializeResponse(status, { CSeq: headerOf(request, 'cseq'), ...fields }, body));
}

const port = () => (camera.address() as { port: number }).port;
const url = (login = '') => `rtsp://${login}127.0.0.1:${port()}/live`;
const rtp = Buffer.from('80600001000000000000000bff', 'hex');
const frame = Buffer.concat([Buffer.of(0x24, 6, 0, rtp.length), rtp]);

function pull(options: Partial<RtspPullOptions> = {}): {
  source: RtspPull;
  sink: CollectingSink;
  done: Promise<SourceEnd>;
} {
  const source = new RtspPull({ url: url(), policy, ...options });
  const sink = new CollectingSink();
  source.start(sink);
  return { source, sink, done: source.done };
}

test('media comes on the channels that the server chose, and a key frame is asked for where it listens', async () => {
  answers = ({ method }, socket) => {
    if (method === 'PLAY') setImmediate(() => socket.write(frame));
    return {};
  };
  const { source, sink, done } = pull();
  await sink.until(() => sink.units.length === 1);
  expect(sink.units).toMatchObject([{ kind: 'rtp', streamId: 0, data: rtp }]);
  expect(source.requestKeyFrame(0)).toBe(true);
  await expect.poll(() => received.some((packet) => packet.includes(Buffer.from('81ce0002', 'hex')))).toBe(true);
  expect(source.requestKeyFrame(1)).toBe(false);
  source.close();
  await done;
  expect(requests.at(-1)).toMatchObject({ method: 'TEARDOWN' });
  expect(requests.filter(({ method }) => method === 'PLAY').map((request) => headerOf(request, 'session'))).toEqual([
    'abc',
  ]);
});

test('the session is kept alive at half of its time-out', async () => {
  answers = ({ method }, socket) => {
    if (method === 'PLAY') setInterval(() => socket.write(frame), 20).unref();
    return {};
  };
  const { source, done } = pull();
  await expect
    .poll(() => requests.filter(({ method }) => method === 'GET_PARAMETER').length, { timeout: 5_000 })
    .toBe(2);
  source.close();
  await done;
});

describe('redirects', () => {
  test('are followed, without taking the password to another server', async () => {
    const seen: (string | undefined)[] = [];
    const other = createServer((socket) => {
      sockets.push(socket);
      const reader = new RtspReader();
      socket.on('data', (data) => {
        reader.write(data);
        for (let one = reader.read(); one; one = reader.read()) {
          if (one.kind !== 'request') continue;
          seen.push(headerOf(one, 'authorization'));
          socket.write(serializeResponse(401, { CSeq: headerOf(one, 'cseq'), 'WWW-Authenticate': 'Basic realm="x"' }));
        }
      });
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const Location = `rtsp://127.0.0.1:${(other.address() as { port: number }).port}/live`;
    answers = ({ method }) => (method === 'DESCRIBE' ? { status: 302, body: '', fields: { Location } } : {});
    const { done } = pull({ url: url('user:secret@') });
    expect(await done).toMatchObject({ error: { code: 'upstream_refused' } });
    expect(seen).toEqual([undefined]);
    other.close();
  });

  test('without end are given up after three', async () => {
    answers = ({ method }) => (method === 'DESCRIBE' ? { status: 301, body: '', fields: { Location: url() } } : {});
    expect(await pull().done).toMatchObject({ error: { message: expect.stringContaining('more than 3') } });
    expect(requests.filter(({ method }) => method === 'DESCRIBE')).toHaveLength(4);
  });

  test('to where the policy does not let it are refused for good', async () => {
    const Location = 'rtsp://169.254.169.254/latest';
    answers = ({ method }) => (method === 'DESCRIBE' ? { status: 302, body: '', fields: { Location } } : {});
    expect(await pull().done).toMatchObject({ error: { code: 'forbidden' }, mayReturn: false });
  });
});

describe('a camera that misbehaves', () => {
  test.each<[string, (request: RtspRequest, socket: Socket) => Answer | undefined, string]>([
    ['says nothing', () => undefined, 'timeout'],
    ['hangs up', (_request, socket) => void socket.destroy(), 'upstream_failed'],
    ['speaks HTTP', (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\n'), 'upstream_failed'],
    ['never ends its head', (_request, socket) => void socket.write('A'.repeat(30_000)), 'upstream_failed'],
    [
      'announces 4 GB',
      (_r, socket) => void socket.write('RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n'),
      'upstream_failed',
    ],
    ['describes nothing', ({ method }) => (method === 'DESCRIBE' ? { body: 'v=0\r\n' } : {}), 'no_common_codec'],
    [
      'has no such stream',
      ({ method }) => (method === 'DESCRIBE' ? { status: 404, body: '' } : {}),
      'upstream_refused',
    ],
    ['is busy', ({ method }) => (method === 'SETUP' ? { status: 453 } : {}), 'upstream_failed'],
    ['has no transport', ({ method }) => (method === 'SETUP' ? { status: 461 } : {}), 'upstream_refused'],
    [
      'chooses another transport',
      ({ method }) => (method === 'SETUP' ? { fields: { Transport: 'RTP/AVP;client_port=1-2' } } : {}),
      'upstream_failed',
    ],
    [
      'asks for a login again and again',
      () => ({ status: 401, fields: { 'WWW-Authenticate': 'Digest realm="x", nonce="y"' } }),
      'upstream_refused',
    ],
    [
      'asks for a login that nobody knows',
      () => ({ status: 401, fields: { 'WWW-Authenticate': 'Negotiate' } }),
      'upstream_refused',
    ],
  ])('and %s ends the pull with the reason', async (_name, behaviour, code) => {
    answers = behaviour;
    const end = await pull({ url: url('user:secret@'), requestTimeoutMs: 150 }).done;
    expect(end.error?.code).toBe(code);
    expect(JSON.stringify(end)).not.toContain('secret');
  });

  test('and plays without media is a stall; noise in between is passed over', async () => {
    answers = ({ method }, socket) => {
      if (method === 'PLAY') setImmediate(() => socket.write(Buffer.from('$\x06\x00\x04abcd$\x09\x00\x01x', 'latin1')));
      return {};
    };
    const { sink, done } = pull({ stallTimeoutMs: 150 });
    expect(await done).toMatchObject({ reason: 'timeout', mayReturn: true });
    expect(sink.units).toEqual([]);
  });

  test('and is not let go keeps nobody waiting', async () => {
    answers = ({ method }) => (method === 'TEARDOWN' ? undefined : {});
    const { source, sink, done } = pull();
    await sink.until(() => sink.described.length === 1);
    sockets[0]?.pause();
    source.close();
    expect(await done).toMatchObject({ reason: 'requested' });
  });
});
