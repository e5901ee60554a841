// Owns: the settings of calls that wait with music until they are fetched. May import: zod.
import { z } from 'zod';
import { milliseconds } from './values.ts';

export const sipParking = z
  .strictObject({
    firstSlot: z.int().min(1).max(99_999_999).default(7_001).describe('What is dialled to fetch the first.'),
    slots: z.int().min(0).max(1_000).default(50).describe('So many may wait; 0 turns it off.'),
    timeoutMs: milliseconds.max(86_400_000).default(300_000).describe('Back to its room then.'),
    callers: z
      .enum(['accounts', 'known', 'nobody'])
      .default('accounts')
      .describe('Who may fetch one by dialling its slot: phones with an account, trunks as well, or the API alone.'),
    room: z
      .string()
      .min(1)
      .max(64)
      .default('parked-calls')
      .describe('Whose mix plays the music; nobody need be in it.'),
  })
  .prefault({})
  .describe('Calls that wait with music (…/sipcalls/{id}/park).');
