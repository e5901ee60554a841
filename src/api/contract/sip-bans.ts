// Owns: addresses that SIP does not listen to. May import: zod, ./pieces.
import { z } from 'zod';
import { itemId, page, time } from './pieces.ts';

export const sipBanInput = z
  .strictObject({
    address: z
      .string()
      .min(2)
      .max(64)
      .meta({ description: 'One, or a range.', examples: ['198.51.100.0/24'] }),
    durationSec: z.int().min(1).max(315_360_000).optional().meta({ description: 'Until it is deleted if absent.' }),
    reason: z.string().min(1).max(200).optional(),
  })
  .meta({ id: 'SipBanInput' });

export const sipBanSchema = z
  .object({
    id: z.string(),
    address: z.string(),
    source: z.enum(['auto', 'api']).meta({ description: '`auto`: it did wrong too often.' }),
    reason: z.string(),
    createdAt: time,
    until: time.nullable(),
  })
  .meta({ id: 'SipBan' });

export const sipBanList = page(sipBanSchema).meta({ id: 'SipBanList' });
export const sipBanParams = z.object({ ban: itemId });

export type SipBan = z.output<typeof sipBanSchema>;
export type SipBanInput = z.input<typeof sipBanInput>;
