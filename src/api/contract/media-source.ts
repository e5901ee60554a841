// Owns: what is taken out of a room. May import: zod.
import { z } from 'zod';

export const mediaSource = z.union([
  z.strictObject({
    view: z.string().min(1).max(64).meta({ description: 'Composed of the room, with the sound of everybody.' }),
  }),
  z.strictObject({
    participant: z
      .string()
      .min(1)
      .max(256)
      .meta({ description: 'Id, or user name, which stays when somebody comes back.' }),
  }),
  z.strictObject({ stream: z.string().min(1).max(64).meta({ description: 'Id of one stream.' }) }),
  z.strictObject({ mix: z.literal(true).meta({ description: 'The sound of everybody, without pictures.' }) }),
]);

export type MediaSourceResource = z.output<typeof mediaSource>;
