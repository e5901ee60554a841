// Owns: this gateway as a node: its id, what it measures of itself, and which parts a drain is told to. May import:
// everything, like app.ts, which uses it.
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { answerWithin } from '#api/answer-within.ts';
import type { Servers } from '#api/server.ts';
import { version } from '#api/version.ts';
import type { Config } from '#config/schema.ts';
import type { EventSink } from '#core/gateway-events.ts';
import { type NodeId, newNodeId } from '#core/ids.ts';
import type { LoadBreaker } from '#core/load-breaker.ts';
import { type Drainable, type DrainPart, type NodePort, type NodeVitals, type NodeWork, OwnNode } from '#core/nodes.ts';
import type { Logger, MediaPort, SfuPort } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { Health } from '#telemetry/health.ts';
import type { PushGateways } from './ingest-parts.ts';

const workersTimeoutMs = 1_000;
const idPattern = /^ND_\w{12}$/;

export interface NodePartsOptions {
  readonly config: Config;
  readonly dataFolder: string;
  readonly rooms: Rooms;
  readonly sfu: SfuPort;
  readonly media: MediaPort;
  readonly sip: Drainable & {
    readonly live: Iterable<unknown>;
    readonly listenPoints: readonly { readonly protocol: string; readonly port: number }[];
  };
  readonly health: Health;
  readonly breaker: LoadBreaker;
  readonly pushGateways: PushGateways;
  /** Tells those that are in. */
  readonly signalling: { announceDrain(closesInMs: number | null): void };
  /** That exist once it listens. */
  readonly servers: () => Servers | undefined;
  /** Besides those above. */
  readonly drained: readonly Drainable[];
  readonly eventLog: EventSink;
  readonly log: Logger;
}

/** @throws Error of the system when the data folder cannot be written */
export async function createOwnNode(options: NodePartsOptions): Promise<OwnNode> {
  const { dataFolder, rooms, media, sip, health, pushGateways, signalling, drained, eventLog, log } = options;
  const work = (): NodeWork => {
    const live = [...rooms.liveRooms()];
    return {
      rooms: live.length,
      participants: live.reduce((sum, { visibleCount }) => sum + visibleCount, 0),
      calls: [...sip.live].length,
      jobs: media.jobs.size,
    };
  };
  const pushes: Drainable = {
    drain: () => Object.values(pushGateways).forEach((gateway) => void gateway.drain()),
    undrain: () => Object.values(pushGateways).forEach((gateway) => void gateway.undrain()),
    hurry: (closesInMs) => {
      if (closesInMs !== null) for (const gateway of Object.values(pushGateways)) gateway.sendAway?.();
    },
  };
  const people: DrainPart = { hurry: (closesInMs) => signalling.announceDrain(closesInMs) };
  return new OwnNode({
    ...{ work, eventLog, log, id: await ownId(dataFolder) },
    // Calls before rooms: they are told of the drain, not that their room has closed.
    parts: [health, sip, rooms, ...drained, pushes, people],
    vitals: () => vitalsOf(options, work()),
  });
}

/** Kept in the data folder: the same node is there again after its next start. */
async function ownId(dataFolder: string): Promise<NodeId> {
  const file = join(dataFolder, 'node-id');
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (idPattern.test(kept)) return kept as NodeId;
  const made = newNodeId();
  await writeFile(file, `${made}\n`, { mode: 0o600 });
  return made;
}

async function vitalsOf(options: NodePartsOptions, work: NodeWork): Promise<NodeVitals> {
  const { sfu, media, health, breaker } = options;
  const { user, system } = process.cpuUsage();
  const { isReady, problems, load } = await health.ready();
  const sfuWorkers = (await answerWithin(workersTimeoutMs, () => sfu.describeWorkers())) ?? [];
  return {
    ...{ version, work, load, isReady, problems, runtime: process.version, startedAtMs: health.startedAtMs },
    cores: availableParallelism(),
    reading: breaker.reading,
    control: { pid: process.pid, cpuMs: (user + system) / 1_000, rssBytes: process.memoryUsage.rss() },
    sfuWorkers,
    mediaWorkers: media.describeWorkers(),
    ports: portsOf(options, sfuWorkers.length),
  };
}

function portsOf({ config, servers, pushGateways, sip }: NodePartsOptions, sfuWorkers: number): NodePort[] {
  const { http, https, metrics } = servers()?.addresses ?? {};
  const { rtmp, rtsp, srt } = pushGateways;
  const single: Readonly<Record<string, number | undefined>> = {
    ...{ http: http?.port, https: https?.port, metrics: metrics?.port, rtmp: rtmp?.port, rtmps: rtmp?.tlsPort },
    ...{ rtsp: rtsp?.port, rtsps: rtsp?.tlsPort, srt: srt?.port },
    ...Object.fromEntries(sip.listenPoints.map(({ protocol, port }) => [`sip/${protocol}`, port])),
  };
  const ports = Object.entries(single).flatMap(([name, port]) =>
    port === undefined ? [] : [{ name, port, lastPort: port }],
  );
  const webrtc = config.sfu.firstPort;
  // Free ones are picked where it is 0: clients are told, nobody has to know them.
  if (webrtc > 0 && sfuWorkers > 0) ports.push({ name: 'webrtc', port: webrtc, lastPort: webrtc + sfuWorkers - 1 });
  return [...ports, { name: 'rtp', port: config.rtp.firstPort, lastPort: config.rtp.lastPort }];
}
