// Owns: webhooks and their deliveries. May import: zod, core, ./events, ./pieces.

import { z } from 'zod';
import { eventPattern, eventSchema } from './events.ts';
import { count, itemId, page, pageQuery, time } from './pieces.ts';

export const webhookParams = z.object({ webhook: itemId });
export const deliveryParams = z.object({ webhook: itemId, delivery: itemId });

const settings = {
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_048)
    .meta({ examples: ['https://app.example/switchyard'] }),
  description: z.string().max(256),
  types: z.array(eventPattern).max(64).meta({ description: 'What to tell; empty is everything.' }),
  isEnabled: z.boolean(),
};
const room = z.string().min(1).max(128).meta({ description: 'Name or id: tell of this room only.' });

export const webhookSchema = z
  .object({
    id: z.string(),
    ...settings,
    url: z.string().meta({
      description: 'User, password and the values of its query are `***`; who sends it back so leaves it as it is.',
      examples: ['https://***:***@app.example/switchyard'],
    }),
    // A pattern that this version does not know any more is shown all the same.
    types: z.array(z.string()),
    roomId: z.string().nullable(),
    disabledReason: z.string().nullable().meta({ description: 'When it was not you who turned it off.' }),
    createdAt: time,
    pendingCount: count.meta({ description: 'Deliveries that wait.' }),
    droppedCount: count.meta({ description: 'Events that found the queue full, since the start of the gateway.' }),
  })
  .meta({ id: 'Webhook' });

export const webhookList = page(webhookSchema).meta({ id: 'WebhookList' });

export const webhookInput = z
  .strictObject({
    url: settings.url,
    description: settings.description.default(''),
    types: settings.types.default([]),
    room: room.optional(),
    isEnabled: settings.isEnabled.default(true),
  })
  .meta({ id: 'WebhookInput' });

export const webhookPatch = z
  .strictObject({
    url: settings.url.optional(),
    description: settings.description.nullish(),
    types: settings.types.nullish(),
    room: room.nullish(),
    isEnabled: settings.isEnabled.optional(),
  })
  .meta({ id: 'WebhookPatch', description: 'JSON merge patch (RFC 7396): null takes a setting back to its default.' });

export const newWebhookSchema = webhookSchema
  .extend({ secret: z.string().meta({ description: 'Signs every message: shown this once.' }) })
  .meta({ id: 'NewWebhook' });

export const secretRotation = z
  .strictObject({
    keepOldMs: z
      .int()
      .min(0)
      .max(7 * 86_400_000)
      .default(86_400_000)
      .meta({ description: 'So long messages carry a signature by the old secret as well.' }),
  })
  .meta({ id: 'SecretRotation' });

const deliveryState = z.enum(['pending', 'delivered', 'failed']);

export const deliverySchema = z
  .object({
    id: z.string(),
    state: deliveryState,
    attempts: count,
    createdAt: time,
    updatedAt: time,
    status: z.int().nullable().meta({ description: 'HTTP status of the last answer.' }),
    error: z.string().nullable().meta({ description: 'What went wrong with the last attempt.' }),
    isReplay: z.boolean(),
    event: eventSchema,
  })
  .meta({ id: 'Delivery' });

export const deliveryList = page(deliverySchema).meta({ id: 'DeliveryList' });
export const deliveryQuery = pageQuery.extend({ state: deliveryState.optional() });

export const replayInput = z
  .strictObject({
    after: z
      .string()
      .max(128)
      .meta({ description: 'Events after the one with this id are sent again, as many as `limit`.' }),
    limit: z.int().min(1).max(1_000).default(100),
  })
  .meta({ id: 'ReplayInput' });

export const replaySchema = z
  .object({
    count,
    next: z.string().nullable().meta({ description: '`after` of the following call; null at the end.' }),
  })
  .meta({ id: 'Replay' });

export type WebhookResource = z.output<typeof webhookSchema>;
export type DeliveryResource = z.output<typeof deliverySchema>;
