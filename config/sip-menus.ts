// Owns: the settings of menus that callers walk through. May import: zod.
import { z } from 'zod';
import { milliseconds } from './values.ts';

export const sipMenus = z
  .strictObject({
    room: z.string().min(1).max(64).default('phone-menus').describe('Whose mix speaks; nobody need be in it.'),
    maxDurationMs: milliseconds.max(3_600_000).default(300_000).describe('Who has chosen no room by then is let go.'),
  })
  .prefault({})
  .describe('Menus of dispatch rules.');
