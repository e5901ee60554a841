// Owns: jobs, the work of media workers. May import: zod, core, ./pieces.

import { z } from 'zod';
import { jobKinds, jobReasons } from '#core/job.ts';
import { count, itemId, page, pageQueryOf, time } from './pieces.ts';

export const jobParams = z.object({ job: itemId });

export const verdictSchema = z
  .object({
    streamId: count,
    kind: z.enum(['audio', 'video']),
    from: z.string().meta({ description: 'Codec as it came.', examples: ['h265'] }),
    to: z.string().nullable().meta({ description: 'Codec as the room gets it; null when it is left out.' }),
    action: z.enum(['forward', 'transcode', 'drop']),
    reasons: z.array(z.string()).readonly().meta({ description: 'For people, most important first.' }),
  })
  .meta({ id: 'Verdict', description: 'What becomes of one stream, and why.' });

export const progressSchema = z
  .object({
    bytesIn: z.number(),
    packetsOut: z.number(),
    framesIn: z.number(),
    framesDropped: z.number(),
    keyFrames: z.number(),
    avOffsetMs: z.number().nullable().meta({ description: 'How far audio is ahead of video where they leave.' }),
    bitrateInBps: z.number(),
    cpuMs: z.number().meta({ description: 'CPU time since it began where it runs now.' }),
    memoryBytes: z.number(),
  })
  .meta({ id: 'Progress' });

export const jobSchema = z
  .object({
    id: z.string(),
    kind: z.enum(jobKinds).meta({ description: 'What it does.' }),
    state: z.enum(['starting', 'live', 'stalled', 'reconnecting', 'ended', 'failed']),
    reason: z.enum(jobReasons),
    message: z.string(),
    since: time.meta({ description: 'In this state since.' }),
    startedAt: time,
    restarts: count.meta({ description: 'How often its media worker was lost.' }),
    costMsPerS: z.number().meta({ description: 'CPU milliseconds per second that placement reckons for it.' }),
    workerPid: z.number().nullable(),
    verdicts: z.array(verdictSchema).readonly(),
    progress: progressSchema.nullable(),
  })
  .meta({ id: 'Job' });

export const jobQuery = pageQueryOf('JB_').extend({
  kind: jobSchema.shape.kind.optional(),
  state: jobSchema.shape.state.optional(),
});

export const jobList = page(jobSchema).meta({ id: 'JobList' });

export type JobResource = z.output<typeof jobSchema>;
export type JobList = z.output<typeof jobList>;
