// Owns: the whole: builds every part, joins them and closes them in order. May import: everything; nobody imports it but
// main.ts and tests.
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import { ApiLimits } from '#api/api-limits.ts';
import { createApi, createMetricsApp } from '#api/app.ts';
import { Auth } from '#api/auth.ts';
import { tapBridges } from '#api/bridge-view.ts';
import { loadCertificate } from '#api/certificate.ts';
import { clientAddress, limitKey, parseProxies } from '#api/client-address.ts';
import { tapAccounts, tapMeetings, tapRecordings, tapTrunks } from '#api/event-taps.ts';
import { MemoryRateLimiter } from '#api/rate-limiter.ts';
import { callSettingsFrom } from '#api/recording-settings.ts';
import { createServers, type ServerAddresses, type Servers } from '#api/server.ts';
import { version } from '#api/version.ts';
import { tapViews } from '#api/view-taps.ts';
import type { Config } from '#config/schema.ts';
import { createIceServers } from '#core/ice-servers.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { LoadBreaker } from '#core/load-breaker.ts';
import { Meetings } from '#core/meetings.ts';
import type { OwnNode } from '#core/nodes.ts';
import type { Logger, RateLimiter } from '#core/ports.ts';
import type { RoomRecord } from '#core/room.ts';
import { RoomPins, spokenPin } from '#core/room-pins.ts';
import { Rooms } from '#core/rooms.ts';
import type { StorePort } from '#core/store-port.ts';
import { createSipGateway, type SipGateway } from '#gateways/sip/index.ts';
import { createWebRtcGateway, type WebRtcGateway } from '#gateways/webrtc/index.ts';
import { knownPrompts } from '#jobs/own-prompts.ts';
import type { Phones } from '#jobs/phones.ts';
import { MediaPool } from '#jobs/pool.ts';
import { checkPrompts } from '#jobs/prompt-check.ts';
import type { Views } from '#jobs/views.ts';
import { createRecordings, type RecordingParts } from '#recordings/index.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { SignallingServer } from '#signalling/server.ts';
import { openStore } from '#store/open-store.ts';
import { watchCalls } from '#telemetry/call-metrics.ts';
import { watchFreeSwitch } from '#telemetry/free-switch-watch.ts';
import { Health } from '#telemetry/health.ts';
import { Metrics } from '#telemetry/metrics.ts';
import { watchTranscodes } from '#telemetry/transcode-metrics.ts';
import { watchTrunks } from '#telemetry/trunk-metrics.ts';
import { watchViews } from '#telemetry/view-metrics.ts';
import { EgressParts } from './egress-parts.ts';
import { EventParts } from './event-parts.ts';
import { buildIngest, type Ingest, listening, openPushGateways, type PushGateways, pushersOf } from './ingest-parts.ts';
import { McuParts } from './mcu-parts.ts';
import { createOwnNode } from './node-parts.ts';
import { OverloadParts } from './overload-parts.ts';
import { ViewingParts } from './viewing-parts.ts';

const minuteMs = 60_000;
const drainPollMs = 100;

interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly store: StorePort;
  readonly sfu: Sfu;
  readonly media: MediaPool;
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly eventParts: EventParts;
  readonly auth: Auth;
  readonly ingest: Ingest;
  readonly egress: EgressParts;
  readonly pushGateways: PushGateways;
  readonly health: Health;
  readonly overload: OverloadParts;
  readonly signalling: SignallingServer;
  readonly webrtc: WebRtcGateway;
  readonly mcu: McuParts;
  readonly recordings: RecordingParts;
  readonly sip: SipGateway;
  readonly viewing: ViewingParts;
  readonly servers: Servers;
  readonly node: OwnNode;
}

export class App extends Owned {
  readonly rooms: Rooms;
  readonly sfu: Sfu;
  readonly media: MediaPool;
  readonly auth: Auth;
  readonly signalling: SignallingServer;
  readonly sip: SipGateway;
  readonly phones: Phones;
  readonly views: Views;
  readonly #parts: Parts;
  readonly #consoleCode: string;
  readonly #firstRoom: RoomRecord | undefined;

  private constructor(parts: Parts, consoleCode: string, firstRoom: RoomRecord | undefined) {
    super();
    this.#firstRoom = firstRoom;
    this.#parts = parts;
    this.rooms = parts.rooms;
    this.sfu = parts.sfu;
    this.media = parts.media;
    this.auth = parts.auth;
    this.signalling = parts.signalling;
    this.sip = parts.sip;
    this.phones = parts.mcu.phones;
    this.views = parts.mcu.views;
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
      const [first = ''] = config.rooms.initial;
      return new App(parts, await parts.auth.createOneTimeLogin(), (await parts.rooms.find(first))?.record);
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
      ...this.#dialIn(base),
      ...this.#pushes(base),
      `  API       ${base}/docs`,
      ...(https && https !== base
        ? [`  HTTPS     ${https}   (browsers give cameras to HTTPS and localhost only)`]
        : []),
      ...(auth.firstAdminKey ? [`  Admin key ${auth.firstAdminKey}   (shown this once; kept hashed)`] : []),
      '',
    ];
    return `${lines.join('\n')}\n`;
  }

  /** How to join the first room by phone. */
  #dialIn(base: string): string[] {
    const room = this.#firstRoom;
    const [address] = room ? this.sip.addressesOf(room, new URL(base || 'http://localhost').hostname) : [];
    const pin = this.sip.pins.of(room?.sip);
    return address ? [`  Phone     ${address}${pin === undefined ? '' : `   PIN ${spokenPin(pin)}`}`] : [];
  }

  /** Where encoders push to. */
  #pushes(base: string): string[] {
    const { hostname } = new URL(base || 'http://localhost');
    const servers = (['rtmp', 'rtsp', 'srt'] as const)
      .map((protocol) => this.#parts.ingest.pushAddressOf(protocol, hostname)?.serverUrl)
      .filter((url) => url !== undefined);
    return servers.length === 0 ? [] : [`  Push to   ${servers.join('   ')}   (stream keys: console, room)`];
  }

  /** Refuses new work and lets participants leave by themselves until the time is over; then `close()` is due. */
  async drain(timeoutMs: number): Promise<void> {
    const { rooms, signalling, node } = this.#parts;
    node.beginDrain({ reason: 'The gateway is being shut down', timeoutMs }, { isForGood: true });
    signalling.refuseNew();
    const endsAtMs = performance.now() + timeoutMs;
    // A camera never leaves by itself, nor does the mixer: only people are waited for.
    const isPerson = ({ kind }: { kind: string }) => kind === 'webrtc' || kind === 'sip';
    const isBusy = () => [...rooms.liveRooms()].some((room) => [...room.participants.values()].some(isPerson));
    while (isBusy() && performance.now() < endsAtMs) {
      await new Promise((wake) => setTimeout(wake, drainPollMs));
    }
  }

  /** Sessions first, so that clients are told why; then rooms, listeners, media workers, and the store last. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    const { signalling, webrtc, sip, mcu, viewing, ingest, pushGateways, rooms, servers } = this.#parts;
    const { meetings, overload, media, sfu, store, eventParts, egress } = this.#parts;
    // Load that falls because everything ends is no recovery.
    await Promise.all([overload.close(reason), this.#parts.node.close(reason)]);
    // Targets are told that it is over, and recordings become whole, while there is still something that can do it.
    await Promise.all([egress.close(reason), this.#parts.recordings.close(reason)]);
    await Promise.all([
      meetings.close(reason),
      signalling.close(reason),
      webrtc.close(reason),
      Promise.all([sip.close(reason), viewing.close(reason)]).then(() => mcu.close(reason)),
      ingest.streamingIns.close(reason),
      ingest.pushes.close(reason),
    ]);
    await Promise.all(Object.values(pushGateways).map((gateway) => gateway.close(reason)));
    await rooms.close(reason);
    await eventParts.close(reason);
    await Promise.all([servers.close(reason), media.close(reason), sfu.close(reason)]);
    await store.close();
  }
}

/** @param undo gets a step for every part that is up, for the case that a later one fails */
async function build(config: Config, log: Logger, undo: (() => Promise<unknown>)[]): Promise<Parts> {
  const data = resolve(config.data);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const { store, secrets } = await openStore(data, log);
  undo.push(() => store.close());
  const sfu = await createSfu(config.sfu, { log });
  undo.push(() => sfu.close());

  const breaker = new LoadBreaker(config.overload);
  const media = new MediaPool({
    ...{ config: config.media, log, logLevel: config.log.level },
    // The mix is there for who is let in.
    assertMayStart: ({ kind }) => (kind === 'mix' ? undefined : breaker.assertTakes('jobs')),
  });
  undo.push(() => media.close());
  await checkPrompts(config.mix.promptsFolder, log);
  const rooms = new Rooms({ store, sfu, log, defaults: config.rooms });
  const mcu = new McuParts({ config, rooms, store, media, log });
  const { phones, views } = mcu;
  undo.push(() => mcu.close());
  const eventParts = await EventParts.create({ config, dataFolder: data, store, secrets, rooms, media, log });
  undo.push(() => rooms.close().then(() => eventParts.close()));
  const { eventLog } = eventParts;
  tapBridges(mcu.bridges, eventLog);
  const recordings = await createRecordings({ store, rooms, media, views, log }, config.recordings, data);
  undo.push(() => recordings.close());
  tapRecordings(recordings.all, eventLog);
  const meetings = new Meetings({ rooms, log, assertMayJoin: () => breaker.assertTakes('joins') });
  undo.push(() => meetings.close());
  tapMeetings(meetings, rooms, eventLog);
  tapViews(rooms, views, eventLog);
  const pins = new RoomPins(secrets);
  for (const name of config.rooms.initial) await pins.provide(rooms, name);

  const perMinute = (points: number, what: string) => new MemoryRateLimiter({ points, windowMs: minuteMs, what });
  const failures = perMinute(config.limits.failedLoginsPerMinute, 'wrong credentials');
  const auth = await Auth.create({ store, rooms, config: config.auth, failures, secrets, log });
  auth.revocations.watch(rooms);
  const health = new Health({ sfu, store, dataFolder: data, load: breaker });
  health.addCheck('media', () => media.problems());
  const metrics = new Metrics({ rooms, sfu, media, log });
  const overload = new OverloadParts({ config, breaker, sfu, media, eventLog, metrics, log });
  undo.push(() => overload.close());
  watchViews(metrics.registry, views);
  watchTranscodes(metrics.registry, views.transcodes);
  const ice = createIceServers(config.ice.servers);
  const joins = byAddress(perMinute(config.limits.joinsPerMinute, 'joins'));
  const addressOf = addressReader(config);

  const pushGateways: PushGateways = {};
  const wrongKeys = byAddress(perMinute(config.limits.failedLoginsPerMinute, 'wrong stream keys'));
  const ingest = await buildIngest(config, { store, rooms, media, log }, wrongKeys, pushGateways);
  undo.push(() => Promise.all([ingest.streamingIns.close(), ingest.pushes.close()]));
  const pushers = pushersOf(config);
  const egress = await EgressParts.create({ config, store, rooms, media, views, pushers, eventLog, metrics, log });
  undo.push(() => egress.close());

  const webrtc = createWebRtcGateway(
    {
      rooms,
      meetings,
      auth,
      ice,
      views,
      transcodes: views.transcodes,
      limiter: joins,
      log,
      addressOf,
      onDemand: ingest.streamingIns,
    },
    { corsOrigins: config.http.corsOrigins, maxSdpBytes: config.limits.maxMessageBytes, settings: config.webrtc },
  );
  undo.push(() => webrtc.close());
  const signalling = new SignallingServer({
    meetings,
    auth,
    ice,
    views,
    transcodes: views.transcodes,
    limiter: joins,
    limits: config.limits,
    resumeGraceMs: config.rooms.resumeGraceMs,
    log,
    addressOf,
    plain: webrtc.plainSdp,
    counters: metrics.counters,
  });
  undo.push(() => signalling.close());

  const viewing = new ViewingParts({
    ...{ config, rooms, meetings, auth, media, views, limiter: joins, metrics, addressOf, log },
  });
  undo.push(() => viewing.close());

  const { language } = config.mix;
  const sip = await createSipGateway({
    ...{ rooms, meetings, phones, bridges: sfu, pictures: { phones, views }, store, secrets },
    config: config.sip,
    askHook: eventParts.askHook,
    recordCall: async (room, call, wish) => {
      await recordings.all.startOfCall(room, callSettingsFrom(call.id, wish, config.recordings), call);
    },
    prompts: () => knownPrompts(config.mix.promptsFolder),
    language,
    log,
  });
  undo.push(() => sip.close());
  tapTrunks(sip.lines.events, eventParts.eventLog);
  tapAccounts(sip.registrar.book.events, eventParts.eventLog);
  watchTrunks(metrics.registry, sip);
  watchCalls(metrics.registry, sip);
  const isDefault = config.sip.isEnabled && config.sip.media === 'freeswitch';
  watchFreeSwitch(sip.freeSwitch, { health, registry: metrics.registry, sink: eventParts.eventLog, isDefault });

  let servers: Servers | undefined;
  const drained = [recordings.all, meetings, media, ingest.streamingIns, egress, webrtc, mcu, viewing];
  const node = await createOwnNode({
    ...{ config, dataFolder: data, rooms, sfu, media, sip, health, breaker, pushGateways, signalling, drained },
    ...{ eventLog, log },
    servers: () => servers,
  });
  undo.push(() => node.close());
  const limits = new ApiLimits(config.limits);
  const eventSockets = eventParts.sockets({ rooms, auth, limiter: limits.requests, addressOf, log });
  const api = createApi({
    ...eventParts.forApi,
    ...egress.forApi,
    ...mcu.forApi,
    rooms,
    meetings,
    auth,
    sfu,
    ingest,
    sip,
    recordings,
    log,
    metrics,
    health,
    nodes: node,
    config,
    limits,
  });
  api.route('/', webrtc.app);
  if (config.hls.isEnabled) api.route('/', viewing.hls.app);
  const listeners = await createServers({
    config,
    fetch: api.fetch,
    metricsFetch: createMetricsApp({ metrics, health }).fetch,
    upgrades: {
      ...{ '/ws': signalling.handleUpgrade, '/api/events': eventSockets.handleUpgrade },
      ...(config.sip.isEnabled && { '/sip': sip.handleUpgrade }),
      ...(config.hls.isEnabled && { '/fmp4/': viewing.hls.handleUpgrade }),
    },
    log,
  });
  servers = listeners;
  undo.push(() => listeners.close());
  undo.push(() => Promise.all(Object.values(pushGateways).map((gateway) => gateway.close())));
  const certificate = listeners.certificate ?? (await loadCertificate(config.https, data, log));
  await openPushGateways(config, { pushes: ingest.pushes, plays: viewing.plays }, certificate, log, pushGateways);
  if (config.sip.isEnabled) await listening('sip', sip.listen(certificate));
  eventParts.followCalls(sip.events);
  eventLog.emit('node.started', { version });
  return {
    ...{ config, log, store, sfu, media, rooms, meetings, eventParts, auth, ingest, egress, pushGateways },
    ...{ health, overload, signalling, webrtc, mcu, recordings, viewing, sip, node, servers: listeners },
  };
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
