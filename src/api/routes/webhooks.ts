// Owns: /api/webhooks, servers that are told of events. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import { parseEventId } from '#core/gateway-events.ts';
import { maskedUrl } from '#core/masked-url.ts';
import type { WebhookEntry } from '#core/webhook.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  deliveryList,
  deliveryParams,
  deliveryQuery,
  deliverySchema,
  newWebhookSchema,
  pageQueryOf,
  replayInput,
  replaySchema,
  secretRotation,
  webhookInput,
  webhookList,
  webhookParams,
  webhookPatch,
  webhookSchema,
} from '../contract.ts';
import { deliveryView, parseDeliveryId, webhookView } from '../event-views.ts';
import { etagOf, ifMatchHeaders, ifNoneMatchHeaders, isNotModified, matchedRevision } from '../preconditions.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { nextPage, pageOf } from '../views.ts';

const tags = ['Webhooks'];
const reading = { scope: 'webhooks:read' } as const;
const writing = { scope: 'webhooks:write' } as const;

const listRoute = apiRoute({
  method: 'get',
  path: '/api/webhooks',
  operationId: 'listWebhooks',
  tags,
  summary: 'List webhooks',
  access: reading,
  request: { query: pageQueryOf('WH_') },
  responses: { 200: jsonBody(webhookList, 'A page of webhooks, without their secrets.') },
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/webhooks',
  operationId: 'createWebhook',
  tags,
  summary: 'Make a webhook',
  description:
    'Events are POSTed to the URL as JSON, signed as Standard Webhooks has it, in order in each room, until the receiver answers 2xx.',
  access: writing,
  request: { body: jsonInput(webhookInput) },
  responses: { 201: jsonBody(newWebhookSchema, 'The webhook, with the secret that signs. It is shown this once.') },
  errors: ['not_found', 'limit_reached'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/webhooks/{webhook}',
  operationId: 'readWebhook',
  tags,
  summary: 'Read a webhook',
  access: reading,
  request: { params: webhookParams, headers: ifNoneMatchHeaders },
  responses: {
    200: jsonBody(webhookSchema, 'The webhook, with ETag.'),
    304: { description: 'It is as If-None-Match says. Only its settings count, not what waits.' },
  },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/webhooks/{webhook}',
  operationId: 'patchWebhook',
  tags,
  summary: 'Change a webhook',
  description: 'What waits already goes to the new address.',
  access: writing,
  request: { params: webhookParams, headers: ifMatchHeaders, body: mergePatchInput(webhookPatch) },
  responses: { 200: jsonBody(webhookSchema, 'The webhook as it is now, with ETag.') },
  errors: ['not_found', 'conflict', 'precondition_failed'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/webhooks/{webhook}',
  operationId: 'deleteWebhook',
  tags,
  summary: 'Delete a webhook',
  description: 'With what waits for it and the log of what was sent.',
  access: writing,
  request: { params: webhookParams, headers: ifMatchHeaders },
  responses: { 204: { description: 'Gone.' } },
  errors: ['not_found', 'precondition_failed'],
});

const rotateRoute = apiRoute({
  method: 'post',
  path: '/api/webhooks/{webhook}/rotate-secret',
  operationId: 'rotateWebhookSecret',
  tags,
  summary: 'Change the secret of a webhook',
  access: writing,
  request: { params: webhookParams, body: jsonInput(secretRotation) },
  responses: { 200: jsonBody(newWebhookSchema, 'The webhook with its new secret. It is shown this once.') },
  errors: ['not_found', 'conflict'],
});

const testRoute = apiRoute({
  method: 'post',
  path: '/api/webhooks/{webhook}/test',
  operationId: 'testWebhook',
  tags,
  summary: 'Send a test event',
  description: 'And try what waits, whatever its back-off says.',
  access: writing,
  request: { params: webhookParams },
  responses: { 202: { description: 'An event webhook.tested is on its way; its delivery says how it went.' } },
  errors: ['not_found'],
});

const replayRoute = apiRoute({
  method: 'post',
  path: '/api/webhooks/{webhook}/replay',
  operationId: 'replayWebhook',
  tags,
  summary: 'Send past events again',
  description: 'Those that the webhook asks for now, under their own ids, behind what waits already.',
  access: writing,
  request: { params: webhookParams, body: jsonInput(replayInput) },
  responses: { 200: jsonBody(replaySchema, 'How many were queued.') },
  errors: ['not_found'],
});

const listDeliveriesRoute = apiRoute({
  method: 'get',
  path: '/api/webhooks/{webhook}/deliveries',
  operationId: 'listDeliveries',
  tags,
  summary: 'List deliveries',
  access: reading,
  request: { params: webhookParams, query: deliveryQuery },
  responses: { 200: jsonBody(deliveryList, 'A page of deliveries, oldest first.') },
  errors: ['not_found'],
});

const readDeliveryRoute = apiRoute({
  method: 'get',
  path: '/api/webhooks/{webhook}/deliveries/{delivery}',
  operationId: 'readDelivery',
  tags,
  summary: 'Read a delivery',
  access: reading,
  request: { params: deliveryParams },
  responses: { 200: jsonBody(deliverySchema, 'The delivery.') },
  errors: ['not_found'],
});

const replayDeliveryRoute = apiRoute({
  method: 'post',
  path: '/api/webhooks/{webhook}/deliveries/{delivery}/replay',
  operationId: 'replayDelivery',
  tags,
  summary: 'Send an event again',
  access: writing,
  request: { params: deliveryParams },
  responses: { 201: jsonBody(deliverySchema, 'The new delivery, of the same event.') },
  errors: ['not_found'],
});

export function webhookRoutes({ rooms, webhooks, eventLog }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const view = ({ record }: WebhookEntry) =>
    webhookView(record, {
      pendingCount: webhooks.pendingCount(record.id),
      droppedCount: webhooks.droppedCount(record.id),
    });
  const roomIdOf = async (room: string) => (await rooms.get(room)).record.id;

  app.openapi(listRoute, (c) => {
    const page = pageOf(
      webhooks.list().map((entry) => ({ id: entry.record.id, entry })),
      c.req.valid('query'),
    );
    return c.json({ ...page, items: page.items.map(({ entry }) => view(entry)) }, 200);
  });

  app.openapi(createRoute, async (c) => {
    const { room, ...input } = c.req.valid('json');
    const roomId = room === undefined ? undefined : await roomIdOf(room);
    const { entry, secret } = await webhooks.create({ ...input, roomId });
    c.header('location', `/api/webhooks/${entry.record.id}`);
    c.header('etag', etagOf(entry.revision));
    return c.json({ ...view(entry), secret }, 201);
  });

  app.openapi(readRoute, (c) => {
    const entry = webhooks.get(c.req.valid('param').webhook);
    c.header('etag', etagOf(entry.revision));
    return isNotModified(c, entry.revision) ? c.body(null, 304) : c.json(view(entry), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { webhook } = c.req.valid('param');
    const { record, revision } = webhooks.get(webhook);
    const expected = matchedRevision(c, revision);
    const { room, description, types, url, ...rest } = c.req.valid('json');
    // Who sends back what was shown does not want another address.
    const isOther = url !== undefined && url !== maskedUrl(record.url);
    const entry = await webhooks.update(
      webhook,
      {
        ...rest,
        ...(isOther && { url }),
        ...(description !== undefined && { description: description ?? '' }),
        ...(types !== undefined && { types: types ?? [] }),
        ...(room !== undefined && { roomId: room === null ? undefined : await roomIdOf(room) }),
      },
      expected,
    );
    c.header('etag', etagOf(entry.revision));
    return c.json(view(entry), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { webhook } = c.req.valid('param');
    matchedRevision(c, webhooks.get(webhook).revision);
    await webhooks.delete(webhook);
    return c.body(null, 204);
  });

  app.openapi(rotateRoute, async (c) => {
    const { entry, secret } = await webhooks.rotateSecret(c.req.valid('param').webhook, c.req.valid('json').keepOldMs);
    c.header('etag', etagOf(entry.revision));
    return c.json({ ...view(entry), secret }, 200);
  });

  app.openapi(testRoute, (c) => {
    const { record } = webhooks.get(c.req.valid('param').webhook);
    webhooks.hurry(record.id);
    eventLog.emit('webhook.tested', { id: record.id });
    return c.body(null, 202);
  });

  app.openapi(replayRoute, async (c) => {
    const { after, limit } = c.req.valid('json');
    const known = parseEventId(after);
    if (!known || known.epoch !== eventLog.epoch) throw new GatewayError('not_found', 'There is no such event.');
    const { id, types, roomId } = webhooks.get(c.req.valid('param').webhook).record;
    const { events } = await eventLog.search({ types, roomId, after: known.seq, limit: limit + 1 });
    const queued = events.slice(0, limit);
    for (const { seq, room } of queued) webhooks.replay(id, { seq, lane: room?.id ?? '' });
    return c.json({ count: queued.length, next: events.length > limit ? (queued.at(-1)?.id ?? null) : null }, 200);
  });

  app.openapi(listDeliveriesRoute, (c) => {
    const { after, limit, state } = c.req.valid('query');
    const found = webhooks.deliveriesOf(c.req.valid('param').webhook, {
      after: after === undefined ? 0 : (parseDeliveryId(after) ?? Number.MAX_SAFE_INTEGER),
      limit: limit + 1,
      state,
    });
    return c.json(nextPage(found.map(deliveryView), limit), 200);
  });

  app.openapi(readDeliveryRoute, (c) => {
    const { webhook, delivery } = c.req.valid('param');
    return c.json(deliveryView(webhooks.delivery(webhook, parseDeliveryId(delivery) ?? 0)), 200);
  });

  app.openapi(replayDeliveryRoute, (c) => {
    const { webhook, delivery } = c.req.valid('param');
    const { lane, event } = webhooks.delivery(webhook, parseDeliveryId(delivery) ?? 0);
    const queued = webhooks.replay(webhook, { seq: event.seq, lane });
    c.header('location', `/api/webhooks/${webhook}/deliveries/${deliveryView(queued).id}`);
    return c.json(deliveryView(queued), 201);
  });

  return app;
}
