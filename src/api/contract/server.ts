// Owns: the server itself. May import: zod, core, ./pieces.

import { z } from 'zod';
import { loadSteps } from '#core/load-breaker.ts';
import { count, time } from './pieces.ts';

export const problems = z.array(z.object({ part: z.string(), message: z.string() })).readonly();

export const loadState = z.object({
  shedding: z.array(z.enum(loadSteps)).readonly().meta({
    description:
      'What is given up now because there is too much to do: new jobs, then new joins, then all but the lowest layer of video.',
  }),
  reason: z.string().meta({ description: 'What was measured at the last step, and the limits.' }),
});

export const sfuWorker = z.object({
  pid: z.number(),
  rooms: z.number(),
  consumers: z.number(),
  cpuMs: z.number(),
  maxRssBytes: z.number(),
  restarts: z.number(),
});

export const serverSchema = z
  .object({
    version: z.string(),
    nodeVersion: z.string(),
    startedAt: time,
    uptimeMs: z.number(),
    isReady: z.boolean(),
    isDraining: z.boolean(),
    problems,
    load: loadState,
    roomCount: count.meta({ description: 'Rooms in use.' }),
    participantCount: count,
    sfuWorkers: z.array(sfuWorker).readonly(),
  })
  .meta({ id: 'Server' });

export const liveSchema = z.object({ status: z.literal('ok'), uptimeMs: z.number() }).meta({ id: 'Live' });
export const readySchema = z.object({ isReady: z.boolean(), problems, load: loadState }).meta({ id: 'Ready' });

export type ServerInfo = z.output<typeof serverSchema>;
