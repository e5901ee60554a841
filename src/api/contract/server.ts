// Owns: the server itself. May import: zod, core, ./pieces.

import { z } from 'zod';
import { count, time } from './pieces.ts';

const problems = z.array(z.object({ part: z.string(), message: z.string() })).readonly();

export const serverSchema = z
  .object({
    version: z.string(),
    nodeVersion: z.string(),
    startedAt: time,
    uptimeMs: z.number(),
    isReady: z.boolean(),
    isDraining: z.boolean(),
    problems,
    roomCount: count.meta({ description: 'Rooms in use.' }),
    participantCount: count,
    sfuWorkers: z
      .array(
        z.object({
          pid: z.number(),
          rooms: z.number(),
          consumers: z.number(),
          cpuMs: z.number(),
          maxRssBytes: z.number(),
          restarts: z.number(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'Server' });

export const liveSchema = z.object({ status: z.literal('ok'), uptimeMs: z.number() }).meta({ id: 'Live' });
export const readySchema = z.object({ isReady: z.boolean(), problems }).meta({ id: 'Ready' });

export type ServerInfo = z.output<typeof serverSchema>;
