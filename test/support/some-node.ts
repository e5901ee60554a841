// A node of its own around parts that take work or not.

import type { EventSink } from '#core/gateway-events.ts';
import { newNodeId } from '#core/ids.ts';
import { type Drainable, type NodeWork, OwnNode } from '#core/nodes.ts';
import type { Logger } from '#core/ports.ts';

interface SomeNodeOptions {
  readonly parts: readonly Drainable[];
  readonly eventLog: EventSink;
  readonly log: Logger;
  readonly work?: () => NodeWork;
  readonly tickMs?: number;
}

export const noWork: NodeWork = { rooms: 0, participants: 0, calls: 0, jobs: 0 };

export function someNode({ work = () => noWork, ...options }: SomeNodeOptions): OwnNode {
  return new OwnNode({
    ...{ ...options, work, id: newNodeId() },
    vitals: async () => ({
      ...{ version: '0.0.0', runtime: process.version, startedAtMs: Date.now(), cores: 2, isReady: true, problems: [] },
      ...{ reading: { cpuShare: 0.5, eventLoopDelayMs: 1.25 }, load: { shedding: [], reason: '' }, work: work() },
      control: { pid: process.pid, cpuMs: 1, rssBytes: 1 },
      ...{ sfuWorkers: [], mediaWorkers: [], ports: [{ name: 'http', port: 8080, lastPort: 8080 }] },
    }),
  });
}
