// Owns: what is said to and by the process that finishes a recorded file. May import: zod, core's words.
import { z } from 'zod';
import { recordFormats } from '#core/record-sink.ts';

export const finishOrder = z.object({
  inputPath: z.string(),
  outputPath: z.string(),
  format: z.enum(recordFormats),
  /** A JPEG of one of its pictures goes there. */
  thumbnailPath: z.string().optional(),
});
export type FinishOrder = z.infer<typeof finishOrder>;

export const finishResult = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('finished'),
    durationMs: z.number(),
    streams: z.array(
      z.object({
        kind: z.enum(['audio', 'video']),
        codec: z.string(),
        width: z.number().optional(),
        height: z.number().optional(),
      }),
    ),
    hasThumbnail: z.boolean(),
  }),
  /** Nothing in it can be played. */
  z.object({ outcome: z.literal('empty') }),
  z.object({ outcome: z.literal('failed'), isDiskFull: z.boolean(), message: z.string() }),
]);
export type FinishResult = z.infer<typeof finishResult>;
