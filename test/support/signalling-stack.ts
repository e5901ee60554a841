// A signalling server on a port of its own, with a room "demo" whose SFU is a fake.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MemoryRateLimiter } from '#api/rate-limiter.ts';
import { configSchema } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { Meetings } from '#core/meetings.ts';
import type { AuthPort } from '#core/ports.ts';
import { Rooms } from '#core/rooms.ts';
import { type PlainSocket, SignallingServer } from '#signalling/server.ts';
import { openSqliteStore } from '#store/sqlite.ts';
import { FakeSfu, someRtpParameters } from './fake-sfu.ts';
import { KeepingLog } from './keeping-log.ts';
import { SignallingPeer } from './signalling-peer.ts';

// Tokens of these tests are `role:user:room`; that real ones are checked is proved where they are made (src/api).
const auth: AuthPort = {
  assertNotRevoked: () => undefined,
  async authorizeJoin(credential, room) {
    const [role = '', user = '', allowed] = (credential ?? '').split(':');
    if (!allowed) throw new GatewayError('unauthorized', 'That token is not ours.');
    if (allowed !== room) throw new GatewayError('forbidden', `That token is for "${allowed}".`);
    return { room, user, displayName: user, role, attributes: {}, expiresAtMs: 0, mayCreateRoom: false };
  },
  async authenticate() {
    throw new GatewayError('unauthorized', 'Not here.');
  },
};

export interface SignallingStack {
  readonly sfu: FakeSfu;
  readonly rooms: Rooms;
  readonly signalling: SignallingServer;
  readonly url: string;
  /** What plain SDP clients said. */
  readonly plainMessages: string[];
  /** Codes of joins that were refused. */
  readonly failures: string[];
  readonly join: (user: string, role?: string) => ReturnType<typeof SignallingPeer.join>;
  readonly close: () => Promise<void>;
}

export async function startSignalling(
  limits: Partial<typeof configSchema._output.limits> = {},
  resumeGraceMs = 60_000,
): Promise<SignallingStack> {
  const config = configSchema.parse({ limits });
  const log = new KeepingLog();
  const sfu = new FakeSfu();
  const store = openSqliteStore(':memory:', log);
  const rooms = new Rooms({ store, sfu, log, defaults: config.rooms });
  await rooms.create({ name: 'demo' });
  const [plainMessages, failures]: [string[], string[]] = [[], []];
  const signalling = new SignallingServer({
    meetings: new Meetings({ rooms, log }),
    auth,
    ice: { iceServersFor: () => [{ urls: ['stun:stun.example.org'] }] },
    limiter: new MemoryRateLimiter({ points: config.limits.joinsPerMinute, windowMs: 60_000, what: 'joins' }),
    limits: config.limits,
    resumeGraceMs,
    log,
    addressOf: () => '127.0.0.1',
    counters: {
      connectionOpened: () => undefined,
      connectionClosed: () => undefined,
      failed: (code) => failures.push(code),
    },
    plain: {
      handle(socket: PlainSocket, first) {
        plainMessages.push(first);
        socket.onMessage((text) => plainMessages.push(text));
        socket.send('{"type":"joined"}');
      },
    },
  });
  const http: Server = createServer().on('upgrade', signalling.handleUpgrade);
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/ws`;
  return {
    ...{ sfu, rooms, signalling, url, plainMessages, failures },
    join: (user, role = 'presenter') => SignallingPeer.join(url, { token: `${role}:${user}:demo` }),
    async close() {
      await signalling.close('drained');
      await rooms.close();
      http.close();
    },
  };
}

/** Some microphone or camera of this peer. */
export async function publishSome(peer: SignallingPeer, kind: 'audio' | 'video' = 'audio') {
  const transport = await peer.request('createTransport', { direction: 'send' });
  const source = kind === 'audio' ? 'microphone' : 'camera';
  const rtpParameters = someRtpParameters(kind) as never;
  return peer.request('publish', { transportId: transport.id, kind, source, rtpParameters });
}
