// Owns: signing in, and who one is. May import: zod, core, ./pieces.

import { z } from 'zod';
import { scope } from './keys.ts';
import { time } from './pieces.ts';

export const loginInput = z
  .strictObject({ code: z.string().min(1).max(128).meta({ description: 'Of the link printed at start.' }) })
  .meta({ id: 'LoginInput' });

export const loginSchema = z.object({ token: z.string(), expiresAt: time }).meta({ id: 'Login' });

export const meSchema = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.enum(['key', 'session']),
      id: z.string(),
      name: z.string(),
      scopes: z.array(scope).readonly(),
    }),
    z.object({
      kind: z.literal('participant'),
      room: z.string(),
      user: z.string(),
      displayName: z.string(),
      role: z.string(),
      attributes: z.record(z.string(), z.string()),
      expiresAt: time,
    }),
  ])
  .meta({ id: 'Me' });

export type LoginResult = z.output<typeof loginSchema>;
export type Me = z.output<typeof meSchema>;
