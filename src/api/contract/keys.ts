// Owns: API keys. May import: zod, core, ./pieces.

import { z } from 'zod';
import { scopes } from '#core/grants.ts';
import { itemId, page, shortText, time } from './pieces.ts';

export const scope = z.enum(scopes);

export const keyParams = z.object({ key: itemId });

export const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(scope).readonly(),
    createdAt: time,
    lastUsedAt: time.nullable().meta({ description: 'To the minute.' }),
    expiresAt: time.nullable(),
  })
  .meta({ id: 'Key' });

export const keyList = page(keySchema).meta({ id: 'KeyList' });

export const keyInput = z
  .strictObject({
    name: shortText,
    scopes: z.array(scope).min(1).max(scopes.length),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: 'KeyInput' });

export const keyPatch = z
  .strictObject({
    name: shortText.optional(),
    scopes: z.array(scope).min(1).max(scopes.length).optional(),
    expiresAt: z.iso.datetime({ offset: true }).nullish(),
  })
  .meta({ id: 'KeyPatch', description: 'JSON merge patch (RFC 7396): expiresAt null is never.' });

export const keyRotation = z
  .strictObject({
    keepOldMs: z
      .int()
      .min(0)
      .max(30 * 86_400_000)
      .default(0)
      .meta({ description: 'So long the old one is good as well.' }),
  })
  .meta({ id: 'KeyRotation' });

export const newKeySchema = keySchema
  .extend({ key: z.string().meta({ description: 'The key itself: shown this once.' }) })
  .meta({ id: 'NewKey' });

export type KeyResource = z.output<typeof keySchema>;
export type KeyInput = z.input<typeof keyInput>;
export type NewKeyResource = z.output<typeof newKeySchema>;
