// Owns: what answers the calls of bench/sip.ts: drachtio-srf as it is, and more and more of the product on top of it.
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { JobRunnerEvents } from '#api/event-taps.ts';
import { tapCalls } from '#api/event-taps.ts';
import { configSchema } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { Leg } from '#core/leg.ts';
import { Meetings } from '#core/meetings.ts';
import { PassingMap } from '#core/passing-map.ts';
import type { AllocateLegOptions, Logger, PhonePort } from '#core/ports.ts';
import { Rooms } from '#core/rooms.ts';
import { createSipGateway, type SipGateway, SipSignalling } from '#gateways/sip/index.ts';
import { defaultTransportLimits, SipServer } from '#gateways/sip/server/index.ts';
import { createSfu } from '#sfu/index.ts';
import { openStore } from '#store/open-store.ts';
import { createLogger } from '#telemetry/logger.ts';
import { startGateway } from '#test/support/gateway.ts';
import { EventParts } from '../src/event-parts.ts';

export const applicationNames = ['srf', 'link', 'gateway', 'media'] as const;
export type ApplicationName = (typeof applicationNames)[number];

export interface Counts {
  readonly answered: number;
  readonly ended: number;
  /** Dialogs that are left, in the server and in the application. */
  readonly left: number;
  readonly retransmissions: number;
}

export interface Application {
  readonly port: number;
  /** Of all its calls so far. */
  count(): Counts;
  /** Of its other processes. */
  pids(): readonly number[];
  close(): Promise<unknown>;
}

export const applications: Readonly<Record<ApplicationName, { title: string; start: () => Promise<Application> }>> = {
  srf: { title: 'drachtio-srf alone on the embedded server', start: startSrf },
  link: { title: 'SipLink with its dialogs, which answers each call', start: startLink },
  gateway: { title: 'rooms, participants, records, events and log; legs without media', start: startSignalling },
  media: { title: 'the whole gateway, a leg with its ports in a mix for each call', start: startWhole },
};

const sdp = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';
const sip = {
  ...{ isEnabled: true, hosts: ['127.0.0.1'], port: 0, hasTls: false, maxCalls: 50_000 },
  access: 'open' as const,
  limits: { messagesPerSecond: 0, unacknowledgedPerAddress: 50_000 },
};

async function startSrf(): Promise<Application> {
  const limits = { ...defaultTransportLimits, messagesPerSecond: 0 };
  const server = await SipServer.create({ hosts: ['127.0.0.1'], port: 0, limits });
  // biome-ignore lint/suspicious/noExplicitAny: bare drachtio-srf, whose types do not know its callbacks
  const srf = new (createRequire(import.meta.url)('drachtio-srf') as any)();
  let answered = 0;
  let ended = 0;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  srf.invite((req: any, res: any) => {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    srf.createUAS(req, res, { localSdp: sdp }, (error: Error | null, dialog: any) => {
      if (error) return;
      answered++;
      dialog.on('destroy', () => ended++);
    });
  });
  srf.connect(server.control);
  await once(srf, 'connect');
  return {
    port: portOf(server.listenPoints),
    pids: () => [],
    close: () => server.close(),
    count: () => {
      const { dialogs, retransmissions } = server.stats;
      return { answered, ended, left: dialogs + srf._dialogs.size, retransmissions };
    },
  };
}

async function startLink(): Promise<Application> {
  const config = configSchema.parse({ sip }).sip;
  const signalling = await SipSignalling.create({ config, log: quietLog() });
  const { link } = signalling;
  let answered = 0;
  let ended = 0;
  link.onCall((call) => {
    call.respond(180);
    const taken = call.answer(sdp, (dialog) => {
      answered++;
      dialog.events.on('ended', () => ended++);
    });
    taken.catch(() => undefined);
  });
  return {
    port: portOf(signalling.listenPoints),
    pids: () => [],
    close: () => signalling.close(),
    count: () => {
      const { dialogs = 0, retransmissions = 0 } = signalling.stats ?? {};
      return { answered, ended, left: dialogs + link.callCount, retransmissions };
    },
  };
}

/** As src/app.ts puts it together, without what phones do not need. */
async function startSignalling(): Promise<Application> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'bench-sip-'));
  const config = configSchema.parse({ sip, data: dataFolder, sfu: { workers: 1, firstPort: 0 } });
  const log = quietLog();
  const { store, secrets } = await openStore(dataFolder, log);
  const sfu = await createSfu(config.sfu, { log });
  const rooms = new Rooms({ store, sfu, log, defaults: config.rooms });
  const media = { events: new EventEmitter<JobRunnerEvents>() };
  const eventParts = await EventParts.create({ config, dataFolder, store, secrets, rooms, media, log });
  const { eventLog } = eventParts;
  await rooms.create({ name: 'demo' });
  const phones = new SilentPhones();
  const gateway = await createSipGateway({
    ...{ rooms, meetings: new Meetings({ rooms, log }), phones, bridges: sfu, store, secrets, log },
    config: config.sip,
    // None of them is told to.
    recordCall: () => Promise.resolve(),
    language: config.mix.language,
  });
  await gateway.listen(undefined);
  tapCalls(gateway.events, eventLog);
  const close = async () => {
    for (const part of [gateway, rooms, eventParts, sfu]) await part.close();
    await store.close();
    await rm(dataFolder, { recursive: true, force: true });
  };
  return { port: portOf(gateway.listenPoints), pids: () => [], count: countsOf(gateway), close };
}

async function startWhole(): Promise<Application> {
  const gateway = await startGateway({
    sip,
    rtp: { listenAddress: '127.0.0.1', firstPort: 40_000, lastPort: 59_999 },
  });
  const { app, log } = gateway;
  await app.phones.mixOf(await app.rooms.open('demo'));
  const count = countsOf(app.sip);
  return {
    port: portOf(app.sip.listenPoints),
    pids: () => app.media.describeWorkers().map(({ pid }) => pid),
    close: () => gateway.close(),
    count: () => {
      // The log of a test keeps every line.
      log.lines.length = 0;
      return count();
    },
  };
}

/** Legs that nobody receives for: what is left of a call without its media. */
class SilentPhones implements PhonePort {
  readonly legs = new PassingMap<number, Leg>();
  #lastId = 0;

  async allocateLeg({ language = 'en' }: AllocateLegOptions): Promise<Leg> {
    const id = ++this.#lastId;
    const place = { localAddress: '127.0.0.1', localPort: 20_000 + ((id * 2) % 40_000) };
    const leg = new Leg({ transport: undefined, send: () => undefined }, { ...place, id, language, timeoutMs: 30_000 });
    this.legs.set(id, leg);
    void leg.done.then(() => this.legs.delete(id));
    return leg;
  }

  moveLeg = (): Promise<never> => Promise.reject(new Error('There is one room here.'));
  addressFor = (): string => '127.0.0.1';
  mixOf = (): Promise<never> => Promise.reject(new GatewayError('unprocessable', 'There is no media here.'));
}

function countsOf(gateway: SipGateway): () => Counts {
  let ended = 0;
  gateway.events.on('ended', ({ answeredAtMs }) => {
    if (answeredAtMs !== undefined) ended++;
  });
  return () => {
    const { dialogs = 0, retransmissions = 0 } = gateway.serverStats ?? {};
    const calls = [...gateway.live].length;
    return { answered: ended + calls, ended, left: dialogs + calls, retransmissions };
  };
}

/** Made as the product makes it, for nobody to read. */
function quietLog(): Logger {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
  return createLogger({ level: 'info', format: 'json' }, { stream });
}

function portOf(points: readonly { readonly port: number }[]): number {
  const [point] = points;
  if (!point) throw new Error('SIP listens nowhere.');
  return point.port;
}
