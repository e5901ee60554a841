// Owns: events. May import: zod, core, ./pieces.

import { z } from 'zod';
import { eventPatternShape, eventTypes, typesOf } from '#core/gateway-events.ts';
import { page, pageQuery, time } from './pieces.ts';

export const eventSchema = z
  .object({
    id: z.string().meta({ description: 'Sorts in the order of the log.', examples: ['EV_000000000042_k3Jx9a'] }),
    type: z.enum(eventTypes),
    at: time,
    room: z.object({ id: z.string(), name: z.string() }).nullable(),
    data: z.record(z.string(), z.unknown()).meta({ description: 'What it is about, as the API shows it.' }),
  })
  .meta({ id: 'Event' });

export const eventList = page(eventSchema).meta({ id: 'EventList' });

/** One that stands for no event at all would wait for ever. */
export const eventPattern = z
  .string()
  .max(64)
  .regex(eventPatternShape, 'is a type (participant.joined), all of a kind (participant.*) or *')
  .refine((pattern) => typesOf([pattern])?.length !== 0, `stands for none of ${eventTypes.join(', ')}`)
  .meta({ examples: ['participant.*'] });

export const eventQuery = pageQuery.extend({
  type: z
    .string()
    .max(1_024)
    .transform((text) => text.split(','))
    .pipe(z.array(eventPattern))
    .optional()
    .meta({ description: 'Types with commas between: `participant.joined,room.*`.' }),
  order: z.enum(['oldest', 'newest']).default('oldest').meta({ description: 'Which comes first in a page.' }),
});

export const allEventsQuery = eventQuery.extend({
  room: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta({ description: 'Name or id: events of that room only. By id also when it is gone.' }),
});

/** For `request.headers`. */
export const lastEventIdHeaders = z.object({
  'last-event-id': z.string().max(128).optional().meta({ description: 'Of a stream that comes back: as `after`.' }),
});

export type EventResource = z.output<typeof eventSchema>;
