// Owns: what every refusal looks like. May import: zod, core, ./pieces.
import { z } from 'zod';

/** RFC 9457. */
export const problemSchema = z
  .object({
    type: z.string().meta({ examples: ['urn:switchyard:problem:not_found'] }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What went wrong and what to do, for people.' }),
    code: z.string().meta({ description: 'For programs; see docs/errors.md.', examples: ['not_found'] }),
    requestId: z.string().optional().meta({ description: 'Find it in the server log.' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Which fields did not fit.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457.' });

export type Problem = z.output<typeof problemSchema>;
