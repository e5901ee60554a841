// Owns: the settings of shedding load. May import: zod.
import { z } from 'zod';
import { milliseconds } from './values.ts';

export const overload = z.strictObject({
  isEnabled: z
    .boolean()
    .default(true)
    .describe('Refuses new jobs, then new joins, then sends low video layers only, while there is too much to do.'),
  cpuPercent: z
    .int()
    .min(1)
    .max(100)
    .default(90)
    .describe('Too much: this server and its workers use so much of the cores that they may use.'),
  eventLoopDelayMs: z
    .number()
    .positive()
    .default(200)
    .describe('Too much: the control process runs its timers so late (99th percentile).'),
  stepAfterMs: milliseconds
    .default(10_000)
    .describe('The next thing is refused when it has been too much for so long.'),
  recoverAfterMs: milliseconds
    .default(30_000)
    .describe('The last thing is taken again when it has been below 0.8 of both limits for so long.'),
  checkIntervalMs: milliseconds.default(1_000).describe('How often it is measured.'),
});
