// The API on a store in memory and the fake SFU. Every answer it gives is held against the OpenAPI document: a status that
// is not documented, a body that does not fit or a refusal that is no problem fails the test that provoked it.
import { strict as assert } from 'node:assert';
import type { z } from 'zod';
import { ApiLimits } from '#api/api-limits.ts';
import { createApi } from '#api/app.ts';
import { Auth } from '#api/auth.ts';
import { problemSchema } from '#api/contract.ts';
import { MemoryRateLimiter } from '#api/rate-limiter.ts';
import { type Config, configSchema } from '#config/schema.ts';
import { Analyses } from '#core/analyses.ts';
import { Bans } from '#core/bans.ts';
import { Bridges } from '#core/bridges.ts';
import { CallRecords } from '#core/call-records.ts';
import { DispatchRules } from '#core/dispatch-rules.ts';
import type { Scope } from '#core/grants.ts';
import { Meetings } from '#core/meetings.ts';
import { assertMayPull, NetPolicy } from '#core/net-policy.ts';
import type { Logger, SfuPort } from '#core/ports.ts';
import { PushedIngresses } from '#core/pushed-ingresses.ts';
import { RoomPins } from '#core/room-pins.ts';
import type { Rooms } from '#core/rooms.ts';
import { SipAccounts } from '#core/sip-accounts.ts';
import { SipDoor } from '#core/sip-door.ts';
import type { StorePort } from '#core/store-port.ts';
import { StreamKeys } from '#core/stream-keys.ts';
import type { Puller } from '#core/streaming-in.ts';
import { StreamingIns } from '#core/streaming-ins.ts';
import type { Pusher } from '#core/streaming-out.ts';
import { StreamingOuts } from '#core/streaming-outs.ts';
import { Trunks } from '#core/trunks.ts';
import type { ViewPort } from '#core/view-port.ts';
import { secretBoxOf } from '#store/secret-box.ts';
import { Health } from '#telemetry/health.ts';
import { Metrics } from '#telemetry/metrics.ts';
import { AvatarFetcher } from '#wire/avatar-fetcher.ts';
import { FakeCalls } from './fake-calls.ts';
import { FakeMedia } from './fake-media.ts';
import { FakePhones } from './fake-phones.ts';
import type { FakeSfu } from './fake-sfu.ts';
import { endsWithFile } from './opened.ts';
import { someEvents } from './some-events.ts';
import { someNode } from './some-node.ts';
import { someRecordings } from './some-recordings.ts';
import { someRooms } from './some-room.ts';
import { someSecrets } from './some-secrets.ts';
import { someViews } from './some-views.ts';

export interface Call {
  /** Credential. */
  readonly as?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | undefined;
  readonly address?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed, where it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any answer; its shape is checked against the contract.
  readonly json: any;
}

export interface SomeApiOptions<S extends SfuPort> {
  readonly config?: z.input<typeof configSchema>;
  readonly sfu?: S;
  readonly webRoot?: string;
}

export async function someApi<S extends SfuPort = FakeSfu>(options: SomeApiOptions<S> = {}) {
  const { rooms, store, sfu, log } = someRooms<S>(options.sfu ? { sfu: options.sfu } : {});
  // Limits out of the way, for tests that are about something else.
  const config: Config = configSchema.parse({
    ...options.config,
    limits: {
      ...{ requestsPerMinute: 1e9, requestsPerMinutePerKey: 1e9, roomsPerMinute: 1e9, tokensPerMinute: 1e9 },
      failedLoginsPerMinute: 1e9,
      ...options.config?.limits,
    },
  });
  const perMinute = (points: number, what: string) => new MemoryRateLimiter({ points, windowMs: 60_000, what });
  const failures = perMinute(config.limits.failedLoginsPerMinute, 'wrong credentials');
  const secrets = someSecrets();
  const auth = await Auth.create({ store, rooms, config: config.auth, failures, secrets, log });
  auth.revocations.watch(rooms);
  const media = new FakeMedia();
  const metrics = new Metrics({ rooms, sfu, media, log });
  const health = new Health({ sfu, store, dataFolder: '.', minFreeBytes: 1 });
  const webRoot = options.webRoot ?? '/nonexistent';
  const ingest = await someIngest({ rooms, store, media, log });
  const calls = new FakeCalls(rooms);
  const views = someViews({ rooms, store, media, log });
  // Of this machine, and no name is looked up: some tests make up URLs.
  const policy = new NetPolicy({ schemes: ['http', 'https'], allow: ['127.0.0.1'], otherwise: 'deny' });
  const avatars = new AvatarFetcher({ policy, lookup: async () => [] });
  const bridges = new Bridges({ rooms, phones: new FakePhones(), views, log });
  const recordings = await someRecordings({ rooms, store, media, views, log }, config.recordings);
  const happenings = await someEvents({ rooms, store, log, config, secrets });
  const streamingOuts = await someStreamingOuts({ rooms, store, media, views, log });
  const analyses = await Analyses.create({ store, rooms, media, views, log, maxPerRoom: 3 });
  const sip = await someSip(calls, { rooms, store, log, config });
  const meetings = new Meetings({ rooms, log });
  const parts = [health, rooms, meetings, views, recordings.all, ingest.streamingIns, streamingOuts, analyses];
  const nodes = someNode({ parts, eventLog: happenings.eventLog, log });
  const app = createApi({
    nodes,
    rooms,
    meetings,
    auth,
    sfu,
    ingest,
    views,
    avatars,
    recordings,
    ...happenings,
    sip,
    bridges,
    streamingOuts,
    analyses,
    log,
    metrics,
    health,
    limits: new ApiLimits(config.limits),
    config,
    webRoot,
  });
  const contract = new ContractCheck(app);
  endsWithFile(async () => {
    for (const part of [analyses, streamingOuts, ingest.streamingIns, ingest.pushes, meetings, recordings, rooms]) {
      await part.close();
    }
    for (const part of [happenings.eventLog, happenings.webhooks, sip.records]) await part.close();
  });

  const send = async (method: string, path: string, call: Call = {}): Promise<Response> => {
    const headers = new Headers(call.headers);
    if (call.as !== undefined) headers.set('authorization', `Bearer ${call.as}`);
    if (call.json !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
    const body = call.json === undefined ? call.body : JSON.stringify(call.json);
    const env = { incoming: { socket: { remoteAddress: call.address ?? '127.0.0.1' } } };
    return app.request(`http://gateway.test${path}`, { method, headers, ...(body === undefined ? {} : { body }) }, env);
  };

  const call = async (method: string, path: string, request: Call = {}): Promise<Answer> => {
    const response = await send(method, path, request);
    const text = await response.text();
    const isJson = text !== '' && /json/.test(response.headers.get('content-type') ?? '');
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
    contract.check(method, path, answer);
    return answer;
  };

  const keyWith = async (...scopes: Scope[]) => (await auth.keys.create({ name: scopes.join(), scopes })).key;
  const tokenFor = async (room: string, role: string, overrides: { expiresAtMs?: number; user?: string } = {}) =>
    auth.createJoinToken({
      room: (await rooms.get(room)).record.id,
      user: overrides.user ?? role,
      displayName: role,
      role,
      attributes: {},
      expiresAtMs: overrides.expiresAtMs ?? Date.now() + 600_000,
    });
  const admin = auth.firstAdminKey ?? config.auth.adminKey ?? '';
  return {
    app,
    call,
    send,
    rooms,
    store,
    sfu,
    media,
    views,
    ingest,
    streamingOuts,
    analyses,
    calls,
    bridges,
    recordings: recordings.all,
    ...happenings,
    sip,
    log,
    auth,
    metrics,
    health,
    config,
    admin,
    keyWith,
    tokenFor,
    contract,
    meetings,
    nodes,
  };
}

/** Rules, PINs and records as they are; only the calls themselves are made up. */
async function someSip(calls: FakeCalls, parts: { rooms: Rooms; store: StorePort; log: Logger; config: Config }) {
  const { rooms, store, log } = parts;
  const { rules: configured, access, records: kept } = parts.config.sip;
  const secrets = secretBoxOf(Buffer.alloc(32, 7));
  const pins = new RoomPins(secrets);
  const rules = await DispatchRules.create({ store, secrets, configured });
  const defaults = { access, language: parts.config.mix.language };
  const door = new SipDoor({ rooms, rules, pins, defaults });
  const records = new CallRecords({ store, ...kept, log });
  const trunks = await Trunks.create({ store, secrets });
  const accounts = await SipAccounts.create({ store, secrets });
  const phonesOf = () => [];
  const bans = await Bans.create({ store, settings: parts.config.sip.bans });
  const lines = { statusOf: () => undefined };
  return Object.assign(calls, { pins, rules, door, records, defaults, trunks, lines, accounts, bans, phonesOf });
}

/** Pushed by RTMP at port 1935, pulled by RTSP from anywhere. */
async function someIngest(parts: { rooms: Rooms; store: StorePort; media: FakeMedia; log: Logger }) {
  const streamKeys = new StreamKeys(parts);
  const timeouts = { graceMs: 1_000, startTimeoutMs: 1_000, stallTimeoutMs: 1_000, latency: 'smooth' as const };
  const failures = new MemoryRateLimiter({ points: 1e9, windowMs: 60_000, what: 'wrong stream keys' });
  const pushes = new PushedIngresses({ ...parts, keys: streamKeys, failures, ...timeouts });
  const policy = new NetPolicy({ schemes: ['rtsp'] });
  const rtsp: Puller = {
    schemes: ['rtsp'],
    check: (url) => assertMayPull(policy, url),
    pull: (options) => ({ source: { via: 'opened', protocol: 'rtsp', options: { ...options } } }),
  };
  const limits = { lingerMs: 10, stallTimeoutMs: 1_000, maxPerRoom: 3, latency: 'smooth' as const };
  const streamingIns = await StreamingIns.create({ ...parts, pullers: [rtsp], ...limits });
  const playPorts = () => ({ rtsp: 8554, rtsps: undefined });
  const pushAddressOf = (protocol: string, host: string) => {
    const serverUrl = `${protocol}://${host}/live`;
    const urlOf = (key: string, passphrase?: string) => `${serverUrl}/${key}${passphrase ? `?${passphrase}` : ''}`;
    return protocol === 'rtmp' || protocol === 'srt' ? { serverUrl, urlOf } : undefined;
  };
  return { streamKeys, pushes, streamingIns, media: parts.media, pushAddressOf, playPorts };
}

/** Pushed by RTMP to anywhere. */
async function someStreamingOuts(parts: {
  rooms: Rooms;
  store: StorePort;
  media: FakeMedia;
  views: ViewPort;
  log: Logger;
}) {
  const policy = new NetPolicy({ schemes: ['rtmp'] });
  const rtmp: Pusher = {
    schemes: ['rtmp'],
    check: (url) => assertMayPull(policy, url),
    push: (options) => ({ protocol: 'rtmp', options }),
  };
  return StreamingOuts.create({ ...parts, pushers: [rtmp], maxPerRoom: 3 });
}

interface DeclaredRoute {
  readonly method: string;
  readonly path: string;
  readonly responses: Record<string, { headers?: object; content?: Record<string, { schema?: z.ZodType }> }>;
}

class ContractCheck {
  readonly routes: readonly DeclaredRoute[];
  /** `GET /api/rooms 200` */
  readonly seen = new Set<string>();

  constructor(app: Pick<ReturnType<typeof createApi>, 'openAPIRegistry'>) {
    this.routes = app.openAPIRegistry.definitions.flatMap((definition) =>
      definition.type === 'route' ? [definition.route as unknown as DeclaredRoute] : [],
    );
  }

  check(method: string, pathAndQuery: string, { status, headers, json, text }: Answer): void {
    // As the client sends it: `..` and the like are resolved before.
    const path = new URL(pathAndQuery, 'http://gateway.test').pathname;
    const what = `${method} ${path} → ${status} ${text.slice(0, 300)}`;
    if (status >= 400 && method !== 'HEAD' && !(status === 503 && path === '/ready')) {
      if (!headers.get('content-type')?.startsWith('text/html')) {
        assert.equal(headers.get('content-type'), 'application/problem+json', what);
        assert.deepEqual(problemSchema.parse(json), json, what);
        assert.equal(json.status, status, what);
      }
    }
    const route = this.routes.find((known) => known.method === method.toLowerCase() && fits(known.path, path));
    if (!route) return;
    this.seen.add(`${method} ${route.path} ${status}`);
    const documented = route.responses[String(status)];
    assert.ok(documented, `${what}: this status is not documented`);
    // HEAD and streams bring none; what is said of the others has to be there.
    for (const name of Object.keys(documented.headers ?? {}))
      if (method !== 'HEAD') assert.ok(headers.has(name), `${what}: has no ${name}`);
    const schema = documented.content?.['application/json']?.schema;
    if (schema) assert.deepEqual(schema.parse(json), json, `${what}: does not fit its schema`);
  }
}

function fits(pattern: string, path: string): boolean {
  const [parts, segments] = [pattern.split('/'), path.split('/')];
  const isSame = (part: string, segment = '') => (part.startsWith('{') ? segment !== '' : part === segment);
  return parts.length === segments.length && parts.every((part, i) => isSame(part, segments[i]));
}
