// Owns: accounts of phones that register here. May import: zod, ./pieces.
import { z } from 'zod';
import { itemId, page, patchOf, shortText, time } from './pieces.ts';

const username = z
  .string()
  .regex(/^[A-Za-z0-9][\w.+~-]{0,63}$/, 'has letters, digits and . _ + ~ - only')
  .meta({ description: 'User part of its address, and the name in its password dialogue.', examples: ['alice'] });
const maxContacts = z
  .int()
  .min(1)
  .max(32)
  .meta({ description: 'Phones that may be registered at once; 4 unless said.' });

export const sipAccountInput = z
  .strictObject({
    username,
    password: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'Kept sealed and never told; left out in a PUT: stays as it was.' }),
    displayName: shortText.optional().meta({ description: 'In rooms; the username unless said.' }),
    isEnabled: z.boolean().optional(),
    maxContacts: maxContacts.optional(),
  })
  .meta({ id: 'SipAccountInput' });

export const sipAccountPatch = patchOf(sipAccountInput).meta({ id: 'SipAccountPatch' });

export const sipAccountSchema = z
  .object({
    id: z.string(),
    username: z.string(),
    displayName: z.string().nullable(),
    isEnabled: z.boolean(),
    maxContacts,
    isOnline: z.boolean().meta({ description: 'Whether a phone is registered now.' }),
    contacts: z
      .array(
        z.object({
          uri: z.string(),
          userAgent: z.string(),
          source: z.string().meta({ description: 'Where it came from.', examples: ['tls/192.0.2.1:5062'] }),
          registeredAt: time,
          expiresAt: time,
        }),
      )
      .readonly(),
    createdAt: time,
  })
  .meta({ id: 'SipAccount' });

export const sipAccountList = page(sipAccountSchema).meta({ id: 'SipAccountList' });
export const sipAccountParams = z.object({ account: itemId.meta({ description: 'Id or username.' }) });

export type SipAccount = z.output<typeof sipAccountSchema>;
export type SipAccountInput = z.input<typeof sipAccountInput>;
