// Owns: the settings of what phones in a room do by pressing keys. May import: zod.
import { z } from 'zod';

const keys = (usual: string, what: string) =>
  z
    .union([z.string().regex(/^\*[0-9#]$/, 'is * and one more key'), z.literal('')])
    .default(usual)
    .describe(`${what} Empty: nothing does.`);

export const sipKeys = z
  .strictObject({
    isEnabled: z.boolean().default(true).describe('Whether keys do anything; they are told as events in any case.'),
    mute: keys('*6', 'Mutes the phone, and lets it be heard again.'),
    hand: keys('*5', 'Raises and lowers the hand.'),
    louder: keys('*9', 'Is heard louder.'),
    quieter: keys('*7', 'Is heard more quietly.'),
    count: keys('*3', 'Is told how many people are in the room.'),
  })
  .prefault({})
  .describe('What a phone in a room does by pressing keys.');
