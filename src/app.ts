// Owns: the whole: builds every part, joins them and closes them in order. May import: everything; nobody imports it but
// main.ts and tests.
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join, resolve } from 'node:path';
import { createApi, createMetricsApp } from '#api/app.ts';
import { Auth } from '#api/auth.ts';
import { clientAddress, limitKey, parseProxies } from '#api/client-address.ts';
import { MemoryRateLimiter } from '#api/rate-limiter.ts';
import { createServers, type ServerAddresses, type Servers } from '#api/server.ts';
import type { Config } from '#config/schema.ts';
import { createIceServers } from '#core/ice-servers.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger, RateLimiter, StorePort } from '#core/ports.ts';
import { Rooms } from '#core/rooms.ts';
import { createWebRtcGateway, type WebRtcGateway } from '#gateways/webrtc/index.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { SignallingServer } from '#signalling/server.ts';
import { openSqliteStore } from '#store/sqlite.ts';
import { Health } from '#telemetry/health.ts';
import { Metrics } from '#telemetry/metrics.ts';

const minuteMs = 60_000;
const drainPollMs = 100;

interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly store: StorePort;
  readonly sfu: Sfu;
  readonly rooms: Rooms;
  readonly auth: Auth;
  readonly health: Health;
  readonly signalling: SignallingServer;
  readonly webrtc: WebRtcGateway;
  readonly servers: Servers;
}

export class App extends Owned {
  readonly rooms: Rooms;
  readonly sfu: Sfu;
  readonly auth: Auth;
  readonly signalling: SignallingServer;
  readonly #parts: Parts;
  readonly #consoleCode: string;

  private constructor(parts: Parts, consoleCode: string) {
    super();
    this.#parts = parts;
    this.rooms = parts.rooms;
    this.sfu = parts.sfu;
    this.auth = parts.auth;
    this.signalling = parts.signalling;
    this.#consoleCode = consoleCode;
  }

  /**
   * Builds and listens; what was built is taken down again when a later part fails.
   * @throws GatewayError in words for whoever starts it (port in use, store not readable …)
   */
  static async create(config: Config, log: Logger): Promise<App> {
    const undo: (() => Promise<unknown>)[] = [];
    try {
      const parts = await build(config, log, undo);
      const app = new App(parts, await parts.auth.createOneTimeLogin());
      return app;
    } catch (thrown) {
      for (const step of undo.reverse()) await step();
      throw thrown;
    }
  }

  get addresses(): { readonly http?: string; readonly https?: string; readonly metrics?: string } {
    const { http, https, metrics } = this.#parts.servers.addresses;
    return {
      ...(http && { http: `http://${hostOf(http)}` }),
      ...(https && { https: `https://${hostOf(https)}` }),
      ...(metrics && { metrics: `http://${hostOf(metrics)}/metrics` }),
    };
  }

  /** What a person who has just started it needs to read. The sign-in link works once, the key is shown once. */
  welcome(): string {
    const { config, auth } = this.#parts;
    const { http, https } = this.addresses;
    const base = config.http.publicUrl ?? http ?? https ?? '';
    const lines = [
      '',
      `  Console   ${base}/console#login=${this.#consoleCode}   (signs in once, within an hour)`,
      ...config.rooms.initial.slice(0, 1).map((room) => `  Room      ${base}/r/${room}`),
      `  API       ${base}/docs`,
      ...(https && https !== base
        ? [`  HTTPS     ${https}   (browsers give cameras to HTTPS and localhost only)`]
        : []),
      ...(auth.firstAdminKey ? [`  Admin key ${auth.firstAdminKey}   (shown this once; kept hashed)`] : []),
      '',
    ];
    return `${lines.join('\n')}\n`;
  }

  /** Refuses new work and lets participants leave by themselves until the time is over; then `close()` is due. */
  async drain(timeoutMs: number): Promise<void> {
    const { health, rooms, webrtc, signalling } = this.#parts;
    health.drain();
    rooms.drain();
    webrtc.drain();
    signalling.drain(timeoutMs);
    const endsAtMs = performance.now() + timeoutMs;
    const isBusy = () => [...rooms.liveRooms()].some((room) => room.participants.size > 0);
    while (isBusy() && performance.now() < endsAtMs) {
      await new Promise((wake) => setTimeout(wake, drainPollMs));
    }
  }

  /** Sessions first, so that clients are told why; then rooms, listeners, media workers, and the store last. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    const { signalling, webrtc, rooms, servers, sfu, store } = this.#parts;
    await Promise.all([signalling.close(reason), webrtc.close(reason)]);
    await rooms.close(reason);
    await Promise.all([servers.close(reason), sfu.close(reason)]);
    await store.close();
  }
}

/** @param undo gets a step for every part that is up, for the case that a later one fails */
async function build(config: Config, log: Logger, undo: (() => Promise<unknown>)[]): Promise<Parts> {
  const data = resolve(config.data);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const store = openSqliteStore(join(data, 'switchyard.db'), log);
  undo.push(() => store.close());
  const sfu = await createSfu(config.sfu, { log });
  undo.push(() => sfu.close());

  const rooms = new Rooms({ store, sfu, log, defaults: config.rooms });
  undo.push(() => rooms.close());
  for (const name of config.rooms.initial) {
    if (!(await rooms.find(name))) await rooms.create({ name });
  }

  const perMinute = (points: number, what: string) => new MemoryRateLimiter({ points, windowMs: minuteMs, what });
  const failures = perMinute(config.limits.failedLoginsPerMinute, 'wrong credentials');
  const auth = await Auth.create({ store, rooms, config: config.auth, failures, log });
  const health = new Health({ sfu, store, dataFolder: data });
  const metrics = new Metrics({ rooms, sfu, log });
  const ice = createIceServers(config.ice.servers);
  const joins = byAddress(perMinute(config.limits.joinsPerMinute, 'joins'));
  const addressOf = addressReader(config);

  const webrtc = createWebRtcGateway(
    { rooms, auth, ice, limiter: joins, log, addressOf },
    { corsOrigins: config.http.corsOrigins, maxSdpBytes: config.limits.maxMessageBytes },
  );
  undo.push(() => webrtc.close());
  const signalling = new SignallingServer({
    rooms,
    auth,
    ice,
    limiter: joins,
    limits: config.limits,
    resumeGraceMs: config.rooms.resumeGraceMs,
    log,
    addressOf,
    plain: webrtc.plainSdp,
    counters: metrics.counters,
  });
  undo.push(() => signalling.close());

  const api = createApi({
    rooms,
    auth,
    sfu,
    log,
    metrics,
    health,
    config,
    limiter: byAddress(perMinute(config.limits.requestsPerMinute, 'requests')),
  });
  api.route('/', webrtc.app);
  const servers = await createServers({
    config,
    fetch: api.fetch,
    metricsFetch: createMetricsApp({ metrics, health }).fetch,
    upgrades: { '/ws': signalling.handleUpgrade },
    log,
  });
  return { config, log, store, sfu, rooms, auth, health, signalling, webrtc, servers };
}

/** An IPv6 customer has many addresses and counts as one. */
function byAddress(limiter: RateLimiter): RateLimiter {
  return { consume: (address, points) => limiter.consume(limitKey(address), points) };
}

function addressReader(config: Config): (request: IncomingMessage) => string {
  const proxies = parseProxies(config.http.trustedProxies);
  return (request) => {
    const forwarded = request.headers['x-forwarded-for'];
    const remote = request.socket.remoteAddress ?? 'unknown';
    return clientAddress(remote, Array.isArray(forwarded) ? forwarded.join(',') : forwarded, proxies);
  };
}

/** What a person on this machine can open: listening on every address is reached as localhost. */
function hostOf({ address, port, family }: NonNullable<ServerAddresses['http']>): string {
  if (address === '0.0.0.0' || address === '::') return `localhost:${port}`;
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
