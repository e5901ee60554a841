// Owns: nodes: the gateways that work together. May import: zod, ./pieces, ./server.

import { z } from 'zod';
import { count, itemId, page, pageQueryOf, time } from './pieces.ts';
import { loadState, problems, sfuWorker } from './server.ts';

export const nodeParams = z.object({
  node: itemId.meta({ description: 'Id of the node, or `self` for the one that is asked.', examples: ['self'] }),
});

const states = z.enum(['active', 'draining', 'drained']);

const mediaWorker = z.object({
  pid: count,
  state: z.enum(['starting', 'ready', 'spare']).meta({ description: '`spare`: warm, for when it is needed.' }),
  jobs: count,
  costMsPerS: z.number().meta({ description: 'CPU milliseconds per second that placement reckons for its jobs.' }),
  cpuMs: z.number(),
  rssBytes: z.number(),
  eventLoopDelayP99Ms: z.number(),
  rtpPort: count.meta({ description: 'Loopback port of its RTP; 0 while it has none.' }),
});

const drain = z.object({
  reason: z.string(),
  since: time,
  endsAt: z.union([time, z.null()]).meta({ description: 'What is left then is sent away; null: it goes on.' }),
  left: z
    .object({ rooms: count, participants: count, calls: count, jobs: count })
    .meta({ description: 'What goes on until it ends by itself, or is sent away.' }),
});

export const nodeSchema = z
  .object({
    id: z.string().meta({ description: 'Stays for as long as the data folder does.', examples: ['ND_4zVbNz0mGh2x'] }),
    isSelf: z.boolean().meta({ description: 'It is the one that answers.' }),
    state: states.meta({ description: '`draining` takes nothing new; `drained`: and nothing is left.' }),
    version: z.string(),
    nodeVersion: z.string().meta({ description: 'Of the runtime.' }),
    startedAt: time,
    cores: count,
    isReady: z.boolean(),
    problems,
    load: loadState.extend({
      cpuPercent: z.number().nullable().meta({ description: 'Of its cores, workers included; null: not measured.' }),
      eventLoopDelayMs: z.number().nullable().meta({ description: 'How late its timers run, 99th percentile.' }),
    }),
    control: z.object({ pid: count, cpuMs: z.number(), rssBytes: z.number() }),
    sfuWorkers: z.array(sfuWorker).readonly(),
    mediaWorkers: z.array(mediaWorker).readonly(),
    roomCount: count.meta({ description: 'Rooms in use.' }),
    participantCount: count,
    callCount: count,
    jobCount: count,
    ports: z
      .array(z.object({ name: z.string(), port: count, lastPort: count }))
      .readonly()
      .meta({ description: 'That are listened at; a range where `lastPort` is another.' }),
    drain: z.union([drain, z.null()]),
  })
  .meta({ id: 'Node' });

export const nodeQuery = pageQueryOf('ND_').extend({ state: states.optional() });
export const nodeList = page(nodeSchema).meta({ id: 'NodeList' });

export const nodeDrainInput = z
  .strictObject({
    reason: z.string().max(200).default('').meta({ description: 'For people: in `/ready`, events and here.' }),
    timeoutMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .optional()
      .meta({ description: 'What is left after it is sent away; without it what is going on goes on.' }),
  })
  .meta({ id: 'NodeDrainInput' });

export type NodeResource = z.output<typeof nodeSchema>;
export type NodeDrainInput = z.input<typeof nodeDrainInput>;
