// Owns: the shape of rules for calls that come in. May import: zod.
import { z } from 'zod';

/** What the API takes for a pattern is checked more closely; here it is the operator's own. */
function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

const rule = z
  .strictObject({
    number: z.string().min(1).max(128).optional().describe('What is dialled, compared as it is: +4930123.'),
    pattern: z
      .string()
      .min(1)
      .max(512)
      .refine(isPattern, 'is no regular expression')
      .optional()
      .describe('Or a regular expression over all of what is dialled.'),
    room: z.string().min(1).max(64).optional().describe('Name or id of the room that takes the call.'),
    access: z.enum(['pin', 'open']).optional().describe('Instead of what the room says: open lets in without a PIN.'),
    pin: z
      .string()
      .regex(/^\d{4,16}$/, 'has 4 to 16 digits')
      .optional()
      .describe('Asked for instead of the PIN of the room.'),
    language: z.enum(['en', 'es', 'zh']).optional().describe('Of announcements.'),
    record: z
      .boolean()
      .optional()
      .describe('Records the calls, each by itself, or, false, does not; whatever their trunk says.'),
    reject: z
      .strictObject({
        status: z.int().min(400).max(699).default(603).describe('What SIP answers.'),
        reason: z.string().min(1).max(200).describe('Told to the caller (Warning) and to the log.'),
      })
      .optional()
      .describe('Refuses the call instead.'),
  })
  .refine(({ number, pattern }) => (number === undefined) !== (pattern === undefined), 'needs number or pattern')
  .refine(({ room, reject }) => (room === undefined) !== (reject === undefined), 'needs room or reject');

export const sipRules = z
  .array(rule)
  .default([])
  .describe('Which room a call is for, first match; without one, the room whose name is dialled.');
