// Owns: the shape of a stream's timeline, as it crosses between processes. Part of protocol.ts.
import { z } from 'zod';

export const streamTimeline = z.object({ rtpTimestamp: z.int().min(0).max(0xffffffff), clockUs: z.number() });
