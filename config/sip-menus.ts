// Owns: the settings of menus that callers walk through. May import: zod.
import { z } from 'zod';
import { milliseconds } from './values.ts';

export const sipMenus = z
  .strictObject({
    room: z.string().min(1).max(64).default('phone-menus').describe('Whose mix speaks; nobody need be in it.'),
    maxDurationMs: milliseconds.max(3_600_000).default(300_000).describe('Who has chosen no room by then is let go.'),
    maxDialled: z
      .int()
      .min(0)
      .max(10_000)
      .default(50)
      .describe('Calls that choices of menus have made, at once; 0: none.'),
    maxDialledPerCaller: z
      .int()
      .min(1)
      .max(100)
      .default(3)
      .describe('And of one caller: a number of a trunk, or an address.'),
  })
  .prefault({})
  .describe('Menus of dispatch rules.');
