// Owns: the settings of video phones. May import: zod.
import { z } from 'zod';

export const sipVideo = z
  .strictObject({
    isEnabled: z.boolean().default(true).describe('Whether phones may bring their picture and are shown a view.'),
    codecs: z
      .array(z.enum(['h264', 'vp8']))
      .min(1)
      .default(['h264', 'vp8'])
      .describe('What is spoken with them.'),
    view: z.string().min(1).max(64).optional().describe('Shown to phones; the first view of the room if absent.'),
    maxHeight: z.int().min(144).max(2_160).default(720).describe('Phones are shown nothing higher.'),
    maxBitrateBps: z
      .int()
      .min(64_000)
      .max(50_000_000)
      .default(2_000_000)
      .describe('Each way, bit/s: the most that a phone is sent, and what it is told to send.'),
  })
  .prefault({})
  .describe('Video phones.');
