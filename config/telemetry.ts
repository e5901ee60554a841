// Owns: the settings of traces. May import: zod.
import { z } from 'zod';

export const telemetry = z.strictObject({
  otlp: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Collector that traces go to by OTLP over HTTP: http://collector:4318. None without it.'),
      authorization: z.string().min(1).optional().describe('Authorization header for it. Better set by environment.'),
      samplePercent: z
        .number()
        .min(0)
        .max(100)
        .default(100)
        .describe('Of traces that begin here; who brings a traceparent has decided.'),
    })
    .prefault({})
    .describe('OpenTelemetry.'),
});
