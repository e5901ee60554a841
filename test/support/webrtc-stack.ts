// Owns: WHIP, WHEP and plain SDP over the real parts: store, keys and tokens, rooms, mediasoup, HTTP.
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import { Hono } from 'hono';
import { Auth } from '#api/auth.ts';
import { MemoryRateLimiter } from '#api/rate-limiter.ts';
import { configSchema } from '#config/schema.ts';
import { Meetings } from '#core/meetings.ts';
import { Rooms } from '#core/rooms.ts';
import type { IceServer } from '#core/rtp.ts';
import { createWebRtcGateway, type WebRtcGateway, type WebRtcGatewayOptions } from '#gateways/webrtc/index.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { SignallingServer } from '#signalling/server.ts';
import { openSqliteStore } from '#store/sqlite.ts';
import { KeepingLog } from './keeping-log.ts';
import { someSecrets } from './some-secrets.ts';

export interface WebRtcStackOptions extends WebRtcGatewayOptions {
  readonly joinsPerMinute?: number;
  readonly iceServers?: readonly IceServer[];
}

export class WebRtcStack {
  readonly url: string;
  readonly rooms: Rooms;
  readonly auth: Auth;
  readonly gateway: WebRtcGateway;
  readonly sfu: Sfu;
  readonly signalling: SignallingServer;
  readonly log: KeepingLog;
  readonly #server: ServerType;

  private constructor(parts: {
    server: ServerType;
    rooms: Rooms;
    auth: Auth;
    gateway: WebRtcGateway;
    sfu: Sfu;
    signalling: SignallingServer;
    log: KeepingLog;
  }) {
    const { port } = parts.server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
    this.#server = parts.server;
    this.rooms = parts.rooms;
    this.auth = parts.auth;
    this.gateway = parts.gateway;
    this.sfu = parts.sfu;
    this.signalling = parts.signalling;
    this.log = parts.log;
  }

  static async start(options: WebRtcStackOptions = {}): Promise<WebRtcStack> {
    const log = new KeepingLog();
    const sfuConfig = { workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] };
    const config = configSchema.parse({ sfu: sfuConfig, auth: { adminKey: 'an-admin-key-for-tests' } });
    const store = openSqliteStore(':memory:', log);
    const sfu = await createSfu(config.sfu, { log });
    const rooms = new Rooms({ store, sfu, log, defaults: config.rooms });
    const failures = new MemoryRateLimiter({ points: 100, windowMs: 60_000, what: 'wrong credentials' });
    const secrets = someSecrets();
    const auth = await Auth.create({ store, rooms, config: config.auth, failures, secrets, log });
    auth.revocations.watch(rooms);
    const points = options.joinsPerMinute ?? 1_000;
    const shared = {
      rooms,
      meetings: new Meetings({ rooms, log }),
      auth,
      ice: { iceServersFor: () => options.iceServers ?? [] },
      limiter: new MemoryRateLimiter({ points, windowMs: 60_000, what: 'joins' }),
      log,
      addressOf: (request: IncomingMessage) => request.socket.remoteAddress ?? '',
    };
    const gateway = createWebRtcGateway(shared, options);
    const { limits } = config;
    // Nobody reads them here.
    const counters = { connectionOpened: () => undefined, connectionClosed: () => undefined, failed: () => undefined };
    const plain = gateway.plainSdp;
    const signalling = new SignallingServer({ ...shared, limits, resumeGraceMs: 1_000, plain, counters });
    const app = new Hono();
    app.route('/', gateway.app);
    app.get('/peers', (c) => c.html('<!doctype html><title>peers</title><script src="/peers.js"></script>'));
    app.get('/peers.js', async (c) => {
      c.header('content-type', 'text/javascript');
      return c.body(await readFile(new URL('./pages/webrtc-peers.js', import.meta.url), 'utf8'));
    });
    const server = await new Promise<ServerType>((resolve) => {
      const listening = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () => resolve(listening));
    });
    server.on('upgrade', signalling.handleUpgrade);
    return new WebRtcStack({ server, rooms, auth, gateway, sfu, signalling, log });
  }

  /** Makes a room. @returns its name */
  async room(name: string): Promise<string> {
    await this.rooms.create({ name });
    return name;
  }

  /** A join token, as the API makes them. */
  async token(room: string, options: { user?: string; role?: string } = {}): Promise<string> {
    const { record } = await this.rooms.get(room);
    const { user = 'somebody', role = 'presenter' } = options;
    const expiresAtMs = Date.now() + 60_000;
    return this.auth.createJoinToken({ room: record.id, user, displayName: user, role, attributes: {}, expiresAtMs });
  }

  async close(): Promise<void> {
    await Promise.all([this.signalling.close(), this.gateway.close()]);
    await this.rooms.close();
    await this.sfu.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      if ('closeAllConnections' in this.#server) this.#server.closeAllConnections();
    });
  }
}
