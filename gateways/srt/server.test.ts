// The listener against callers of ours and against datagrams that no caller of ours would send.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource, SourceEnd } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { ownTerms } from './agreement.ts';
import { pushSrt, type SrtPush } from './client.ts';
import {
  extensionType,
  type Handshake,
  handshakeType,
  parseHandshake,
  serializeHandshake,
  serializeTerms,
  serializeText,
} from './handshake.ts';
import { controlType, parsePacket, serializeControl, serializeData } from './packet.ts';
import { defaultSrtConfig, type SrtGatewayConfig, SrtServer } from './server.ts';

const cleanups: (() => unknown)[] = [];
const policy = new NetPolicy({ schemes: ['srt'], allow: ['127.0.0.1'] });
const passphrase = 'correct horse';

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Listening {
  readonly server: SrtServer;
  readonly log: KeepingLog;
  readonly sources: MediaSource[];
  readonly ends: Promise<SourceEnd>[];
  asked: number;
  connect(streamId: string, more?: string): Promise<SrtPush>;
}

/** Keys: `bad` is unknown, `secret` has a passphrase, `shared…` is taken over, anything else is good. */
async function listen(
  config: Partial<SrtGatewayConfig> = {},
  delay?: Promise<unknown>,
  opening?: Promise<undefined>,
): Promise<Listening> {
  const log = new KeepingLog();
  const sources: MediaSource[] = [];
  const ends: Promise<SourceEnd>[] = [];
  const server = await SrtServer.create(
    {
      log,
      authorizePublish: async ({ streamKey }) => {
        listening.asked += 1;
        await delay;
        if (streamKey === 'bad') throw new GatewayError('unauthorized', 'This stream key is not known here.');
        return {
          publisherId: streamKey,
          whenBusy: streamKey.startsWith('shared') ? 'take_over' : 'reject',
          passphrase: streamKey === 'secret' ? passphrase : undefined,
          accept: (source) => {
            sources.push(source);
            ends.push(source.done);
            source.start({ describe: () => undefined, deliver: () => undefined });
            return opening;
          },
        };
      },
    },
    { ...defaultSrtConfig, host: '127.0.0.1', port: 0, ...config },
  );
  cleanups.push(() => server.close());
  const listening: Listening = {
    ...{ server, log, sources, ends, asked: 0 },
    connect: async (streamId, more = '') => {
      const url = `srt://127.0.0.1:${server.port}?streamid=${encodeURIComponent(streamId)}${more}`;
      const push = await pushSrt({ url, policy, startTimeoutMs: 5_000 });
      cleanups.push(() => push.close());
      return push;
    },
  };
  return listening;
}

class RawCaller {
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #port: number;
  #wake: () => void = () => undefined;

  static async open(port: number): Promise<RawCaller> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    cleanups.push(() => socket.close());
    return new RawCaller(socket, port);
  }

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on('message', (datagram) => {
      this.received.push(datagram);
      this.#wake();
    });
  }

  send(datagram: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#socket.send(datagram, this.#port, '127.0.0.1', () => resolve()));
  }

  handshake(change: Partial<Handshake>): Promise<void> {
    const body = serializeHandshake({ ...conclusion, ...change });
    return this.send(serializeControl({ type: controlType.handshake, timestampUs: 1, socketId: 0, body }));
  }

  /** The next handshake that comes; the test's own time-out bounds the wait. */
  async answer(): Promise<Handshake> {
    for (;;) {
      const datagram = this.received.shift();
      const packet = datagram && parsePacket(datagram);
      const handshake =
        packet?.kind === 'control' && packet.type === controlType.handshake ? parseHandshake(packet.body) : undefined;
      if (handshake) return handshake;
      if (!datagram) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async cookie(): Promise<number> {
    await this.handshake({ version: 4, extensionField: 2, type: handshakeType.induction, cookie: 0, extensions: [] });
    return (await this.answer()).cookie;
  }

  /** What was sent before has been dealt with once this is answered. */
  async isSettled(): Promise<void> {
    await this.cookie();
  }
}

const terms = serializeTerms(ownTerms({ receiverLatencyMs: 120, senderLatencyMs: 120 }));
const conclusion: Handshake = {
  ...{ version: 5, encryption: 0, extensionField: 5, initialSequenceNumber: 100, mtuBytes: 1_500 },
  ...{ flowWindowPackets: 8_192, type: handshakeType.conclusion, socketId: 77, cookie: 0 },
  peerAddress: Buffer.alloc(16),
  extensions: [
    { type: extensionType.handshakeRequest, data: terms },
    { type: extensionType.streamId, data: serializeText('key') },
  ],
};

test('a caller with a good key is accepted, encrypted or not, and says goodbye', async () => {
  const { connect, server, ends, log } = await listen();
  for (const [key, more] of [
    ['key', ''],
    ['#!::r=other,m=publish,u=obs', ''],
    ['secret', `&passphrase=${passphrase}`],
    ['secret', `&passphrase=${passphrase}&pbkeylen=24`],
  ] as const) {
    const push = await connect(key, more);
    expect(server.publisherCount).toBe(1);
    await push.close();
    expect(await ends.at(-1)).toEqual({ reason: 'peer_left', mayReturn: false });
  }
  await expect.poll(() => [server.publisherCount, server.connectionCount]).toEqual([0, 0]);
  expect(JSON.stringify(log.lines)).not.toContain(passphrase);
});

test.each([
  ['bad', '', 'unauthorized', 'not authorised (1401)'],
  ['', '', 'unauthorized', 'not authorised (1401)'],
  ['#!::r=key,m=request', '', 'method_not_allowed', 'not to be had in this direction (1405)'],
  ['#!::r=key,t=file', '', 'unsupported_media_type', '(1415)'],
  ['secret', '', 'invalid_request', 'one side has a passphrase and the other has none (11)'],
  ['key', `&passphrase=${passphrase}`, 'invalid_request', 'one side has a passphrase and the other has none (11)'],
  ['secret', '&passphrase=incorrect horse', 'invalid_request', 'the passphrase is wrong (10)'],
])('stream id "%s"%s is refused, and both sides know why', async (key, more, code, words) => {
  const { connect, log, server } = await listen();
  await expect(connect(key, more)).rejects.toMatchObject({ message: expect.stringContaining(words) });
  const refused = log.lines.findLast(({ message }) => message === 'srt publisher refused');
  expect(refused?.fields).toMatchObject({ code });
  await expect.poll(() => server.connectionCount).toBe(0);
});

test('whoever does not know the passphrase cannot take a stream over', async () => {
  const { connect, server } = await listen({ passphrase });
  const first = await connect('shared', `&passphrase=${passphrase}`);
  await expect(connect('shared', '&passphrase=incorrect horse')).rejects.toMatchObject({ code: 'upstream_refused' });
  expect(first.isClosed).toBe(false);
  expect(server.publisherCount).toBe(1);
});

test('a second publisher is refused with 1409, or takes over where that is wanted', async () => {
  const { connect, ends } = await listen();
  await connect('key');
  await expect(connect('key')).rejects.toMatchObject({ message: expect.stringContaining('(1409)') });
  const first = await connect('shared');
  await connect('shared');
  expect(await first.done).toBe('peer_left');
  expect(await ends[1]).toMatchObject({ reason: 'replaced', mayReturn: false });
});

test('an address has so many connections and no more; the next is told', async () => {
  const { connect } = await listen({ maxConnectionsPerAddress: 2 });
  const first = await connect('a');
  await connect('b');
  await expect(connect('c')).rejects.toMatchObject({ message: expect.stringContaining('(1402)') });
  await first.close();
  await expect
    .poll(() =>
      connect('c').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
});

test('a server that drains takes no more and keeps what it has; one that closes says so', async () => {
  const { connect, server } = await listen();
  const push = await connect('a');
  server.drain();
  await expect(connect('b')).rejects.toMatchObject({ message: expect.stringContaining('(1503)') });
  expect(push.isClosed).toBe(false);
  await server.close();
  expect(await push.done).toBe('peer_left');
});

test('a check of the key that takes too long is refused in time', async () => {
  const never = new Promise(() => undefined);
  const { connect } = await listen({ authorizeTimeoutMs: 300 }, never);
  await expect(connect('key')).rejects.toMatchObject({ message: expect.stringContaining('(1503)') });
});

test('a room that takes its time does not cost the connection; one that refuses late ends it', async () => {
  const opening = Promise.withResolvers<undefined>();
  const slow = await listen({}, undefined, opening.promise);
  const push = await slow.connect('key');
  expect(slow.sources).toHaveLength(1);
  opening.reject(new GatewayError('room_full', 'The room is full.'));
  expect(await push.done).toBe('peer_left');
  const refused = slow.log.lines.findLast(({ message }) => message === 'srt publisher refused');
  expect(refused?.fields).toMatchObject({ code: 'room_full' });
});

test('a caller that repeats itself is asked for once and gets the same answer again', async () => {
  const { server, ...listening } = await listen();
  const caller = await RawCaller.open(server.port ?? 0);
  const cookie = await caller.cookie();
  await caller.handshake({ cookie });
  await caller.handshake({ cookie });
  const first = await caller.answer();
  expect(first.type).toBe(handshakeType.conclusion);
  await caller.handshake({ cookie });
  expect(await caller.answer()).toEqual(first);
  expect(listening.sources).toHaveLength(1);
  expect(server.connectionCount).toBe(1);
});

test('a flood of inductions from everywhere leaves nothing behind, and no answer is longer than its question', async () => {
  const { server, ...listening } = await listen();
  const caller = await RawCaller.open(server.port ?? 0);
  for (let i = 0; i < 500; i += 1) {
    await caller.handshake({
      ...{ version: 4, type: handshakeType.induction, cookie: i, socketId: i + 1 },
      extensions: i % 2 ? conclusion.extensions : [],
    });
  }
  await caller.isSettled();
  expect(server.connectionCount).toBe(0);
  expect(listening.asked).toBe(0);
  for (const answer of caller.received) expect(answer.length).toBeLessThanOrEqual(64);
});

test('a conclusion without the cookie of its address is not answered at all', async () => {
  const { server, ...listening } = await listen();
  const caller = await RawCaller.open(server.port ?? 0);
  const other = await RawCaller.open(server.port ?? 0);
  const stolen = await other.cookie();
  for (const cookie of [0, 1, stolen]) await caller.handshake({ cookie });
  await caller.isSettled();
  expect(caller.received).toEqual([]);
  expect(listening.asked).toBe(0);
});

test('garbage, truncated handshakes and packets for nobody get no answer and harm nobody', async () => {
  const { server, connect, log } = await listen();
  const push = await connect('key');
  const caller = await RawCaller.open(server.port ?? 0);
  const whole = serializeControl({
    ...{ type: controlType.handshake, timestampUs: 1, socketId: 0 },
    body: serializeHandshake({ ...conclusion, type: handshakeType.induction }),
  });
  for (let length = 0; length < 64; length += 1) await caller.send(whole.subarray(0, length));
  const random = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 300 }), 300);
  for (const bytes of random) {
    await caller.send(bytes);
    if (bytes.length >= 16) await caller.send(Buffer.concat([Buffer.from([0x80, 0, 0, 0]), bytes.subarray(4)]));
  }
  await caller.isSettled();
  expect(caller.received.filter(({ length }) => length > 64)).toEqual([]);
  expect(server.connectionCount).toBe(1);
  expect(push.isClosed).toBe(false);
  expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
});

test('what comes from another port than the publisher is not its own, not even a goodbye', async () => {
  const { server, sources } = await listen();
  const caller = await RawCaller.open(server.port ?? 0);
  const thief = await RawCaller.open(server.port ?? 0);
  await caller.handshake({ cookie: await caller.cookie() });
  const { socketId } = await caller.answer();
  await thief.send(serializeControl({ type: controlType.shutdown, timestampUs: 1, socketId }));
  await thief.isSettled();
  expect(server.connectionCount).toBe(1);
  expect(sources).toHaveLength(1);
  await caller.send(serializeControl({ type: controlType.shutdown, timestampUs: 1, socketId }));
  await expect.poll(() => server.connectionCount).toBe(0);
});

test('any packets of an accepted publisher are survived, and its buffer stays bounded', async () => {
  const { server, log } = await listen({ latencyMs: 8_000 });
  const caller = await RawCaller.open(server.port ?? 0);
  await caller.handshake({ cookie: await caller.cookie() });
  const { socketId } = await caller.answer();
  const word = fc.integer({ min: 0, max: 0x7fffffff });
  const body = fc.uint8Array({ maxLength: 80 });
  const type = fc.constantFrom(1, 2, 3, 4, 6, 7, 8, 0x7fff, 0);
  const control = fc.record({ type, subtype: fc.nat(5), info: word, timestampUs: word, body });
  const data = fc.record({ sequenceNumber: word, keyFlag: fc.nat(3), timestampUs: word, payload: body });
  for (const one of fc.sample(control, 300)) await caller.send(serializeControl({ ...one, socketId }));
  for (const { payload, ...one } of fc.sample(data, 300)) {
    const rest = { messageNumber: 1, isRetransmitted: false, socketId, payload: Buffer.from(payload) };
    await caller.send(serializeData({ ...one, ...rest }));
  }
  await caller.isSettled();
  expect(server.connectionCount).toBe(1);
  expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
});

test('a publisher from which nothing comes any more is let go, and may come back', async () => {
  const { server, ends } = await listen({ idleTimeoutMs: 400 });
  const caller = await RawCaller.open(server.port ?? 0);
  await caller.handshake({ cookie: await caller.cookie() });
  await caller.answer();
  await expect.poll(() => server.connectionCount).toBe(0);
  expect(await ends[0]).toMatchObject({ reason: 'timeout', mayReturn: true, error: { code: 'timeout' } });
});

test('a publisher that has died has its place taken as soon as it is silent', async () => {
  const { server, connect, ends } = await listen({ idleTimeoutMs: 60_000 });
  const caller = await RawCaller.open(server.port ?? 0);
  await caller.handshake({ cookie: await caller.cookie() });
  await caller.answer();
  await expect(connect('key')).rejects.toMatchObject({ message: expect.stringContaining('(1409)') });
  await expect
    .poll(
      () =>
        connect('key').then(
          () => true,
          () => false,
        ),
      { timeout: 8_000, interval: 300 },
    )
    .toBe(true);
  expect(await ends[0]).toMatchObject({ reason: 'timeout', mayReturn: true });
});

test('what is no transport stream is ended with the reason', async () => {
  const { connect, ends } = await listen();
  const push = await connect('key');
  for (let i = 0; i < 300; i += 1) push.write(Buffer.alloc(1_316));
  expect(await ends[0]).toMatchObject({ mayReturn: false, error: { code: 'unsupported_media_type' } });
  expect(await push.done).toBe('peer_left');
});

test.each([
  ['nobody listens', 'srt://127.0.0.1:9?streamid=x', 'upstream_failed'],
  ['the network is not allowed', 'srt://169.254.169.254:80?streamid=x', 'forbidden'],
])('calling where %s fails with its reason', async (_what, url, code) => {
  await expect(pushSrt({ url, policy, startTimeoutMs: 2_000 })).rejects.toMatchObject({ code });
});

test('a listener that does not answer is given up, and one that is not wanted any more at once', async () => {
  const mute = createSocket('udp4');
  mute.bind(0, '127.0.0.1');
  await once(mute, 'listening');
  cleanups.push(() => mute.close());
  const url = `srt://127.0.0.1:${mute.address().port}?streamid=x`;
  await expect(pushSrt({ url, policy, startTimeoutMs: 400 })).rejects.toMatchObject({ code: 'timeout' });
  const abort = new AbortController();
  const pushing = pushSrt({ url, policy, startTimeoutMs: 60_000 }, abort.signal);
  abort.abort();
  await expect(pushing).rejects.toMatchObject({ code: 'closed' });
});
