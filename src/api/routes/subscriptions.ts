// Owns: /api/rooms/{room}/subscriptions, what is received in a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  roomParams,
  streamFormat,
  subscriptionList,
  subscriptionParams,
  subscriptionPatch,
  subscriptionQuery,
  subscriptionSchema,
} from '../contract.ts';
import { patched } from '../patched.ts';
import { findSubscription, liveRoom, receivedIn } from '../room-lookup.ts';
import { apiRoute, jsonBody, mergePatchInput, newRouter } from '../route.ts';
import { pageOf, subscriptionView } from '../views.ts';

const tags = ['Streams'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/subscriptions',
  operationId: 'listSubscriptions',
  tags,
  summary: 'List what is received in a room',
  description: 'By participants and players; not what views, recordings and pushes take.',
  access: { scope: 'rooms:read', participants: 'moderate' },
  request: { params: roomParams, query: subscriptionQuery },
  responses: { 200: jsonBody(subscriptionList, 'A page of subscriptions; empty when nobody is there.') },
  errors: ['not_found'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/subscriptions/{subscription}',
  operationId: 'readSubscription',
  tags,
  summary: 'Read a subscription: who receives what, and in which format',
  access: { scope: 'rooms:read', participants: 'moderate' },
  request: { params: subscriptionParams },
  responses: { 200: jsonBody(subscriptionSchema, 'The subscription.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/subscriptions/{subscription}',
  operationId: 'patchSubscription',
  tags,
  summary: 'Give a receiver a video in another format, while it is watched',
  description:
    'Another codec, size, rate, bitrate or key frame interval of what the room allows (`mediaOut`, `transcoding`). What ' +
    'cannot be had is refused, and what was goes on.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: subscriptionParams, body: mergePatchInput(subscriptionPatch) },
  responses: { 200: jsonBody(subscriptionSchema, 'The subscription as it is now.') },
  errors: [
    ...(['not_found', 'unprocessable', 'no_common_codec', 'conflict', 'closed', 'limit_reached'] as const),
    ...(['overloaded', 'draining', 'media_lost', 'timeout'] as const),
  ],
});

export function subscriptionRoutes({ rooms }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const room = await liveRoom(rooms, c.req.valid('param').room);
    const { participant, stream, kind, ...query } = c.req.valid('query');
    const wanted = receivedIn(room)
      .map(subscriptionView)
      .filter(
        (one) =>
          (participant === undefined || one.participantId === participant) &&
          (stream === undefined || one.streamId === stream) &&
          (kind === undefined || one.kind === kind),
      );
    return c.json(pageOf(wanted, query), 200);
  });

  app.openapi(readRoute, async (c) => {
    return c.json(subscriptionView(await findSubscription(rooms, c.req.valid('param'))), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { format } = c.req.valid('json');
    const subscription = await findSubscription(rooms, c.req.valid('param'));
    if (format !== undefined) {
      const { formats } = subscription;
      if (!formats) {
        throw new GatewayError('unprocessable', 'That receiver cannot be given another format; see canChangeFormat.');
      }
      await formats.set(format && patched(streamFormat, formats.format ?? {}, format));
    }
    return c.json(subscriptionView(subscription), 200);
  });

  return app;
}
