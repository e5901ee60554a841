// Owns: the settings of transfers that phones ask for. May import: zod.
import { z } from 'zod';

export const sipTransfer = z
  .strictObject({
    isEnabled: z.boolean().default(true).describe('Whether a phone in a room may have others called into it (REFER).'),
    to: z
      .array(z.enum(['rooms', 'accounts', 'attended', 'peers']))
      .default(['rooms', 'accounts', 'attended'])
      .describe(
        'Rooms, past their doors; phones with an account; calls that the phone has elsewhere, at the address it calls from; any number there.',
      ),
    trunk: z.string().min(1).max(64).optional().describe('Trunk for the numbers below.'),
    numbers: z
      .array(z.string().min(1).max(64))
      .max(100)
      .default([])
      .describe('Numbers that may be called through it: +4930123*. None unless said: each call is at your cost.'),
    ringTimeoutMs: z.int().min(1_000).max(300_000).default(60_000).describe('Gives up who does not answer.'),
  })
  .prefault({})
  .describe('Transfers that phones ask for.');
