// Owns: chat by API. May import: zod, core, ./pieces.

import { z } from 'zod';
import { itemId, page, pageQuery, time } from './pieces.ts';

export const messageInput = z
  .strictObject({
    text: z.string().regex(/\S/, 'needs some text').max(4_000),
    to: itemId.optional().meta({ description: 'One participant; everybody if absent.' }),
  })
  .meta({ id: 'MessageInput' });

export const messageSchema = z
  .object({
    id: z.string(),
    from: z.object({ id: z.string(), displayName: z.string() }).nullable().meta({ description: 'null: the server.' }),
    to: z.string().meta({ description: '`all` or a participant.' }),
    text: z.string(),
    sentAt: time,
  })
  .meta({ id: 'Message' });

export const messageQuery = pageQuery.extend({
  order: z.enum(['newest', 'oldest']).default('newest').meta({ description: 'Which comes first.' }),
});

export const messageList = page(messageSchema).meta({ id: 'MessageList' });

export type MessageInput = z.input<typeof messageInput>;
export type MessageResource = z.output<typeof messageSchema>;
