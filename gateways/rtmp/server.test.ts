import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource, SourceEnd, SourceStream, SourceUnit } from '#core/media-source.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { RtmpPeer } from '#test/support/rtmp-peer.ts';
import { encodeAmf0, objectOf } from './amf0.ts';
import { ChunkWriter } from './chunk.ts';
import { commandMessage, type RtmpCommand } from './messages.ts';
import type { RtmpPublishGrant, RtmpPublishRequest } from './publish-request.ts';
import { defaultRtmpConfig, type RtmpGatewayConfig, RtmpServer } from './server.ts';

const avcConfig = Buffer.from('17000000000164001fffe1000467640028010004' + '68ee3cb0', 'hex');
const keyFrame = Buffer.from('1701000000' + '0000000165', 'hex');

/** Takes what is published under `good-…` and refuses the rest, like a table of stream keys. */
class Room {
  readonly described: SourceStream[] = [];
  readonly units: SourceUnit[] = [];
  readonly ends: SourceEnd[] = [];
  readonly sources: MediaSource[] = [];
  readonly requests: RtmpPublishRequest[] = [];
  whenBusy: RtmpPublishGrant['whenBusy'] = 'reject';
  beforeGrant: () => Promise<void> = async () => undefined;
  beforeAccept: () => Promise<void> = async () => undefined;
  isStarting = true;
  #wake: () => void = () => undefined;

  authorizePublish = async (request: RtmpPublishRequest): Promise<RtmpPublishGrant> => {
    this.requests.push(request);
    this.#wake();
    await this.beforeGrant();
    if (!request.streamName.startsWith('good')) throw new GatewayError('unauthorized', 'No such stream key.');
    return { publisherId: request.streamName, whenBusy: this.whenBusy, accept: (source) => this.#accept(source) };
  };

  async #accept(source: MediaSource): Promise<void> {
    await this.beforeAccept();
    this.sources.push(source);
    void source.done.then((end) => {
      this.ends.push(end);
      this.#wake();
    });
    if (this.isStarting) this.start(source);
  }

  start(source: MediaSource): void {
    source.start({
      describe: (stream) => this.described.push(stream),
      deliver: (unit) => {
        this.units.push(unit);
        this.#wake();
      },
    });
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

let room: Room;
let log: KeepingLog;
let server: RtmpServer;
const peers: RtmpPeer[] = [];

async function serve(config: Partial<RtmpGatewayConfig> = {}): Promise<void> {
  await server?.close();
  server = await RtmpServer.create(
    { log, authorizePublish: room.authorizePublish },
    { ...defaultRtmpConfig, host: '127.0.0.1', port: 0, tlsPort: undefined, ...config },
  );
}

async function peer(): Promise<RtmpPeer> {
  const connected = await RtmpPeer.connect(server.port as number);
  peers.push(connected);
  return connected;
}

const codeOf = (status: RtmpCommand) => objectOf(status.args[1])?.code;
const wordsOf = (status: RtmpCommand) => objectOf(status.args[1])?.description;

beforeEach(async () => {
  room = new Room();
  log = new KeepingLog();
  await serve();
});

afterEach(async () => {
  for (const one of peers.splice(0)) one.socket.destroy();
  await server.close();
});

/** What every hostile test ends with: others publish as if nothing had been. */
async function expectAlive(): Promise<void> {
  expect(codeOf(await (await peer()).publish('good-after'))).toBe('NetStream.Publish.Start');
}

describe('a publisher', () => {
  test('with a good key is told Publish.Start, and its media reaches the room', async () => {
    const encoder = await peer();
    expect(codeOf(await encoder.publish('good-key?token=1', 'live/'))).toBe('NetStream.Publish.Start');
    expect(room.requests).toMatchObject([{ app: 'live', streamName: 'good-key', remoteAddress: '127.0.0.1' }]);
    expect(room.requests[0]?.query.get('token')).toBe('1');
    encoder.media('video', avcConfig);
    encoder.media('video', keyFrame, 40);
    await room.until(() => room.units.length === 1);
    expect(room.described).toMatchObject([{ codec: 'h264', framing: { lengthSize: 4 } }]);
    expect(room.units).toMatchObject([{ dtsUs: 40_000, isKey: true, data: Buffer.from('0000000165', 'hex') }]);
  });

  test('with a wrong key is told so with the reason and cut off, before it ever heard Publish.Start', async () => {
    const encoder = await peer();
    const status = await encoder.publish('bad-key');
    expect(codeOf(status)).toBe('NetStream.Publish.Unauthorized');
    expect(wordsOf(status)).toBe('No such stream key.');
    await encoder.closed;
  });

  test('hears of Connect.Success what the server can take', async () => {
    const encoder = await peer();
    encoder.command('connect', 1, { app: 'live' });
    const { args } = await encoder.answer('_result', 1);
    expect(objectOf(args[0])?.fourCcList).toContain('hvc1');
    expect(objectOf(args[0])?.capsEx).toBe(15);
    expect(codeOf({ name: '', transactionId: 0, args })).toBe('NetConnection.Connect.Success');
  });

  test('gets no answer before its key is checked, and what it sent meanwhile is not lost', async () => {
    const check = Promise.withResolvers<void>();
    room.beforeGrant = () => check.promise;
    const encoder = await peer();
    const status = encoder.publish('good-slow');
    let isAnswered = false;
    void status.then(() => {
      isAnswered = true;
    });
    await room.until(() => room.requests.length === 1);
    encoder.media('video', avcConfig);
    encoder.media('video', keyFrame, 40);
    expect(isAnswered).toBe(false);
    check.resolve();
    expect(codeOf(await status)).toBe('NetStream.Publish.Start');
    await room.until(() => room.units.length === 1);
  });

  test('is refused with the reason when the room cannot take it', async () => {
    room.beforeAccept = () => Promise.reject(new GatewayError('room_full', 'The room is full.'));
    const status = await (await peer()).publish('good-key');
    expect([codeOf(status), wordsOf(status)]).toEqual(['NetStream.Publish.Rejected', 'The room is full.']);
    room.beforeAccept = async () => undefined;
    expect(codeOf(await (await peer()).publish('good-key'))).toBe('NetStream.Publish.Start');
  });

  test('that ends its stream frees the key, and may publish again on the same connection', async () => {
    const encoder = await peer();
    await encoder.publish('good-key');
    encoder.command('deleteStream', 0, null, 1);
    await room.until(() => room.ends.length === 1);
    expect(room.ends).toEqual([{ reason: 'peer_left', error: undefined, mayReturn: false }]);
    expect(codeOf(await (await peer()).publish('good-key'))).toBe('NetStream.Publish.Start');
  });

  test('that is cut off may return', async () => {
    const encoder = await peer();
    await encoder.publish('good-key');
    encoder.socket.destroy();
    await room.until(() => room.ends.length === 1);
    expect(room.ends[0]).toMatchObject({ reason: 'peer_left', mayReturn: true });
  });

  test('that the room closes is told and cut off', async () => {
    const encoder = await peer();
    await encoder.publish('good-key');
    room.sources[0]?.close('kicked');
    expect(wordsOf(await encoder.answer('onStatus'))).toContain('moderator');
    await encoder.closed;
    expect(room.ends).toMatchObject([{ reason: 'kicked', mayReturn: false }]);
  });

  test('is slowed down by TCP while the room pauses it', async () => {
    const encoder = await peer();
    await encoder.publish('good-key');
    encoder.media('video', avcConfig);
    room.sources[0]?.pause();
    const chunk = Buffer.concat([keyFrame, Buffer.alloc(200_000)]);
    let isBlocked = false;
    for (let i = 0; i < 200 && !isBlocked; i++) {
      encoder.media('video', chunk, i);
      isBlocked = encoder.socket.writableLength > 4_000_000;
    }
    expect(isBlocked).toBe(true);
    expect(room.units.length).toBeLessThan(3);
    room.sources[0]?.resume();
    await room.until(() => room.units.length > 20);
  });

  test('is not read at all until the room starts its source', async () => {
    room.isStarting = false;
    const encoder = await peer();
    await encoder.publish('good-key');
    encoder.media('video', avcConfig);
    encoder.media('video', keyFrame, 40);
    room.start(room.sources[0] as MediaSource);
    await room.until(() => room.units.length === 1);
  });
});

describe('one key', () => {
  test('has one publisher: the second is refused', async () => {
    const first = await peer();
    await first.publish('good-key');
    const status = await (await peer()).publish('good-key');
    expect([codeOf(status), wordsOf(status)]).toEqual([
      'NetStream.Publish.BadName',
      'Somebody publishes with this stream key already.',
    ]);
    first.media('video', avcConfig);
    first.media('video', keyFrame);
    await room.until(() => room.units.length === 1);
  });

  test('is taken over where the key says so, and the first is told', async () => {
    room.whenBusy = 'take_over';
    const first = await peer();
    await first.publish('good-key');
    expect(codeOf(await (await peer()).publish('good-key'))).toBe('NetStream.Publish.Start');
    expect(wordsOf(await first.answer('onStatus'))).toContain('taken over');
    await first.closed;
    expect(room.ends).toMatchObject([{ reason: 'replaced' }]);
  });
});

describe('media counts only from the accepted publisher', () => {
  test('not from somebody who has not published', async () => {
    const stranger = await peer();
    stranger.media('video', keyFrame);
    await stranger.closed;
    expect(room.units).toEqual([]);
  });

  test('not from a player, who is refused', async () => {
    await (await peer()).publish('good-key');
    const player = await peer();
    player.command('connect', 1, { app: 'live' });
    player.command('createStream', 2, null);
    await player.answer('_result', 2);
    player.command('play', 3, null, 'good-key');
    expect(codeOf(await player.answer('onStatus'))).toBe('NetStream.Play.Failed');
    player.media('video', avcConfig);
    for (let i = 0; i < 200; i++) player.media('video', keyFrame, i);
    await player.closed;
    expect(room.units).toEqual([]);
  });

  test('not from a refused publisher that keeps its socket open and goes on', async () => {
    const accepted = await peer();
    await accepted.publish('good-key');
    const refused = await RtmpPeer.connect(server.port as number);
    peers.push(refused);
    refused.socket.allowHalfOpen = true;
    await refused.publish('good-key');
    for (let i = 0; i < 20; i++) refused.media('video', avcConfig, i);
    await expect.poll(() => server.connectionCount, { timeout: 5_000 }).toBe(1); // the server keeps no half of a connection
    refused.media('video', avcConfig);
    await refused.closed;
    expect(room.described).toEqual([]);
  });

  test('not on another message stream', async () => {
    const encoder = await peer();
    await encoder.publish('good-key');
    encoder.media('video', avcConfig, 0, 2);
    encoder.media('video', avcConfig, 0, 1);
    encoder.media('video', keyFrame, 40, 2);
    encoder.media('video', keyFrame, 80, 1);
    await room.until(() => room.units.length === 1);
    expect(room.units).toMatchObject([{ dtsUs: 80_000 }]);
  });
});

/** Each of these kills or floods node-media-server 4.4.3. */
describe('hostile input harms nobody else', () => {
  const commands: [string, (attacker: RtmpPeer) => void][] = [
    ['connect without tcUrl', (p) => p.command('connect', 1, { app: 'live' })],
    ['connect with a tcUrl that is no URL', (p) => p.command('connect', 1, { app: 'live', tcUrl: '::::' })],
    ['connect without an app', (p) => p.command('connect', 1, {})],
    ['connect with a number for a body', (p) => p.command('connect', 1, 7)],
    ['connect twice', (p) => [1, 2].forEach((id) => void p.command('connect', id, { app: 'live' }))],
    ['a command without a name', (p) => p.send({ ...empty(20), payload: Buffer.of(5) })],
    ['an empty command', (p) => p.send(empty(20))],
    [
      'a truncated AMF object',
      (p) => p.send({ ...empty(20), payload: Buffer.from('0200076e6f7468696e67030001', 'hex') }),
    ],
    ['arrays nested 15 000 deep', (p) => p.send({ ...empty(20), payload: nestedArrays(13_000) })],
    ['an array of 2^32-1 values', (p) => p.send({ ...empty(20), payload: Buffer.from('0affffffff', 'hex') })],
    ['a chunk size of 0', (p) => p.send({ ...empty(1), payload: Buffer.alloc(4) })],
    ['control messages without a body', (p) => [1, 2, 3, 4, 5, 6].forEach((type) => void p.send(empty(type)))],
    ['an acknowledgement window of 0', (p) => p.send({ ...empty(5), payload: Buffer.alloc(4) })],
    ['a chunk stream that begins in its middle', (p) => p.raw(Buffer.of(0xc9, 0, 0))],
    ['a message of 16 MB', (p) => p.raw(Buffer.from('09000000ffffff0901000000aaaa', 'hex'))],
    ['random bytes', (p) => p.raw(Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 7_919) % 251)))],
  ];

  test.each(commands)('%s', async (_name, attack) => {
    const attacker = await peer();
    attack(attacker);
    attacker.socket.end();
    await attacker.closed;
    await expectAlive();
  });

  const afterPublish: [string, (attacker: RtmpPeer) => void][] = [
    ['a video tag of no bytes', (p) => p.media('video', Buffer.alloc(0))],
    ['a video tag of one byte', (p) => p.media('video', Buffer.of(0x17))],
    ['an audio tag of one byte', (p) => p.media('audio', Buffer.of(0xaf))],
    ['enhanced tags that end in their head', (p) => p.media('video', Buffer.of(0x96, 0x11))],
    ['a configuration of nothing', (p) => p.media('video', Buffer.from('1700000000', 'hex'))],
    ['metadata that is cut off', (p) => p.send({ ...empty(18, 1), payload: Buffer.from('02000a6f6e', 'hex') })],
    ['an aggregate that is cut off', (p) => p.send({ ...empty(22, 1), payload: Buffer.alloc(12, 9) })],
  ];

  test.each(afterPublish)('%s', async (_name, attack) => {
    const attacker = await peer();
    await attacker.publish('good-attacker');
    for (let i = 0; i < 100; i++) attack(attacker);
    attacker.socket.end();
    await attacker.closed;
    await expectAlive();
  });

  test('a publish command without a name is refused with a hint', async () => {
    const attacker = await peer();
    const status = await attacker.publish(undefined);
    expect([codeOf(status), wordsOf(status)]).toEqual([
      'NetStream.Publish.BadName',
      'Set the stream key in your encoder; none was sent.',
    ]);
    await expectAlive();
  });

  test('publish on a message stream that does not exist is refused', async () => {
    const attacker = await peer();
    attacker.command('connect', 1, { app: 'live' });
    attacker.command('publish', 3, null, 'good-key', 'live');
    expect(codeOf(await attacker.answer('onStatus'))).toBe('NetStream.Publish.BadName');
  });

  test('400 chunk streams that each promise 16 MB cost no memory', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const attackers = await Promise.all(Array.from({ length: 10 }, peer));
    for (const attacker of attackers) {
      for (let i = 0; i < 400; i++) {
        attacker.raw(Buffer.concat([Buffer.of(1, i & 0xff, i >> 8), Buffer.from('000000ffffff0901000000', 'hex')]));
      }
    }
    await Promise.all(attackers.map((attacker) => attacker.closed));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
    await expectAlive();
  });

  test('metadata without end costs no memory, and the stream goes on', async () => {
    const attacker = await peer();
    await attacker.publish('good-attacker');
    const bomb = encodeAmf0(['@setDataFrame', 'onMetaData', { text: 'x'.repeat(2_000_000) }]);
    const crowd = encodeAmf0(['onMetaData', Object.fromEntries(Array.from({ length: 9_000 }, (_, i) => [`k${i}`, i]))]);
    const before = process.memoryUsage();
    for (let i = 0; i < 60; i++) {
      const sent = new Promise<void>((resolve) => void attacker.socket.once('drain', resolve));
      attacker.send({ ...empty(18, 1), payload: i % 2 === 0 ? bomb : crowd });
      if (attacker.socket.writableNeedDrain) await sent;
    }
    attacker.media('video', avcConfig);
    attacker.media('video', keyFrame);
    await room.until(() => room.units.length === 1);
    const after = process.memoryUsage();
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(120_000_000);
    expect(log.lines.some(({ message }) => message === 'rtmp metadata passed over')).toBe(true);
  }, 60_000);

  test('a client that asks and never reads is cut off', async () => {
    const attacker = await peer();
    attacker.command('connect', 1, { app: 'live' });
    await attacker.answer('_result', 1);
    attacker.socket.pause();
    const ask = new ChunkWriter().encode(commandMessage({ name: 'FCPublish', transactionId: 0, args: [] }));
    const block = Buffer.concat(Array.from({ length: 2_000 }, () => Buffer.concat(ask)));
    // Not until `close`: writes to a destroyed socket fail so fast that no event would ever get a turn.
    while (!attacker.socket.destroyed) {
      await new Promise<void>((resolve) => void attacker.socket.write(block, () => resolve()));
    }
    await expectAlive();
  });
});

describe('time and number', () => {
  test('half a handshake is cut off', async () => {
    await serve({ handshakeTimeoutMs: 50 });
    const socket = connect(server.port as number, '127.0.0.1');
    socket.write(Buffer.from([3, 0, 0]));
    await once(socket, 'close');
    await expect.poll(() => server.connectionCount).toBe(0);
    const told = log.lines.findLast(({ message }) => message === 'rtmp connection cut off');
    expect(told).toMatchObject({ level: 'info', fields: { address: '127.0.0.1', failure: expect.any(String) } });
  });

  test('who connects and publishes nothing is cut off', async () => {
    await serve({ commandTimeoutMs: 50 });
    const idle = await peer();
    idle.command('connect', 1, { app: 'live' });
    await idle.closed;
  });

  test('a publisher that falls silent is cut off, and may return', async () => {
    await serve({ idleTimeoutMs: 80 });
    const encoder = await peer();
    await encoder.publish('good-key');
    await encoder.closed;
    expect(room.ends).toMatchObject([{ reason: 'timeout', mayReturn: true, error: { code: 'timeout' } }]);
  });

  test('a check of the key that never ends is given up', async () => {
    await serve({ authorizeTimeoutMs: 50 });
    room.beforeGrant = () => new Promise(() => undefined);
    expect(wordsOf(await (await peer()).publish('good-key'))).toContain('took too long');
  });

  test('an address has so many connections and no more', async () => {
    await serve({ maxConnectionsPerAddress: 3 });
    await Promise.all([peer(), peer(), peer()]);
    await expect(peer()).rejects.toThrow('closed');
    peers[0]?.socket.destroy();
    await peers[0]?.closed;
    await expect.poll(() => server.connectionCount).toBe(2);
    await peer();
  });

  test('something else than RTMP is hung up on at once', async () => {
    const socket = connect(server.port as number, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
  });
});

test('a draining server refuses new publishers and asks those that can to reconnect', async () => {
  const encoder = await peer();
  encoder.command('connect', 1, { app: 'live', capsEx: 1 });
  await encoder.answer('_result', 1);
  server.drain();
  server.sendAway();
  expect(codeOf(await encoder.answer('onStatus'))).toBe('NetConnection.Connect.ReconnectRequest');
  expect(wordsOf(await (await peer()).publish('good-key'))).toContain('maintenance');
  server.undrain();
  expect(codeOf(await (await peer()).publish('good-key'))).toBe('NetStream.Publish.Start');
});

test('no stream key is logged', async () => {
  await (await peer()).publish('good-secret');
  await (await peer()).publish('bad-secret');
  await server.close();
  const logged = JSON.stringify(
    log.lines.map((line) => ({ ...line, fields: { ...line.fields, publisher: undefined } })),
  );
  expect(logged).toContain('refused');
  expect(logged).not.toContain('secret');
});

test('closing the server ends its publishers', async () => {
  const encoder = await peer();
  await encoder.publish('good-key');
  await server.close();
  await encoder.closed;
  expect(room.ends).toMatchObject([{ reason: 'parent_closed' }]);
});

function empty(type: number, streamId = 0) {
  return { chunkStreamId: 3, type, streamId, timestamp: 0, payload: Buffer.alloc(0) };
}

function nestedArrays(depth: number): Buffer {
  return Buffer.concat(Array.from({ length: depth }, () => Buffer.from('0a00000001', 'hex')));
}
