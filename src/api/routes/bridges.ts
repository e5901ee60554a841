// Owns: /api/rooms/{room}/bridges, rooms that hear and see each other. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { BridgeWays } from '#core/bridge.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { bridgeView, waysFrom } from '../bridge-view.ts';
import {
  bridgeInput,
  bridgeList,
  bridgeParams,
  bridgePatch,
  bridgeQuery,
  bridgeSchema,
  roomParams,
} from '../contract.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { pageInOrder } from '../views.ts';

const tags = ['Bridges'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/bridges',
  operationId: 'listBridges',
  tags,
  summary: 'List the rooms that a room is bridged with',
  access: { scope: 'rooms:read', participants: 'moderate' },
  request: { params: roomParams, query: bridgeQuery },
  responses: { 200: jsonBody(bridgeList, 'A page of bridges, the oldest first.') },
  errors: ['not_found'],
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/bridges',
  operationId: 'createBridge',
  tags,
  summary: 'Bridge two rooms',
  description:
    'Everybody in one hears, and if wanted sees, everybody in the other. In each room the other is a participant of the ' +
    'kind `bridge`. Rooms that hear each other already, over however many bridges, are refused with `conflict`.',
  access: { scope: 'rooms:write' },
  request: { params: roomParams, body: jsonInput(bridgeInput) },
  responses: { 201: jsonBody(bridgeSchema, 'They are bridged.') },
  errors: [
    ...(['not_found', 'conflict', 'unprocessable', 'no_common_codec', 'room_full', 'limit_reached', 'closed'] as const),
    ...(['meeting_over', 'overloaded', 'draining', 'media_lost'] as const),
  ],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/bridges/{bridge}',
  operationId: 'readBridge',
  tags,
  summary: 'Read a bridge',
  access: { scope: 'rooms:read', participants: 'moderate' },
  request: { params: bridgeParams },
  responses: { 200: jsonBody(bridgeSchema, 'As this room has it.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/bridges/{bridge}',
  operationId: 'patchBridge',
  tags,
  summary: 'Open or shut one way of a bridge',
  access: { scope: 'rooms:write' },
  request: { params: bridgeParams, body: mergePatchInput(bridgePatch) },
  responses: { 200: jsonBody(bridgeSchema, 'As it is now.') },
  errors: ['not_found', 'closed', 'unprocessable', 'no_common_codec', 'overloaded', 'media_lost'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/bridges/{bridge}',
  operationId: 'deleteBridge',
  tags,
  summary: 'Part two rooms',
  access: { scope: 'rooms:write' },
  request: { params: bridgeParams },
  responses: { 204: { description: 'They do not hear each other any more.' } },
  errors: ['not_found'],
});

export function bridgeRoutes({ rooms, bridges }: ApiOptions): OpenAPIHono<ApiEnv> {
  const roomIdOf = async (room: string) => (await rooms.get(room)).record.id;
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const roomId = await roomIdOf(c.req.valid('param').room);
    const all = bridges.of(roomId).map((bridge) => bridgeView(bridge, roomId));
    return c.json(pageInOrder(all, c.req.valid('query')), 200);
  });

  app.openapi(createRoute, async (c) => {
    const roomId = await roomIdOf(c.req.valid('param').room);
    const { to, ...both } = c.req.valid('json');
    const bridge = await bridges.create(roomId, to, bothWays(both) as BridgeWays);
    c.header('location', `/api/rooms/${roomId}/bridges/${bridge.id}`);
    return c.json(bridgeView(bridge, roomId), 201);
  });

  app.openapi(readRoute, async (c) => {
    const { room, bridge } = c.req.valid('param');
    const roomId = await roomIdOf(room);
    return c.json(bridgeView(bridges.get(roomId, bridge), roomId), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { room, bridge: id } = c.req.valid('param');
    const roomId = await roomIdOf(room);
    const bridge = bridges.get(roomId, id);
    const { audio, video, chat, ...single } = c.req.valid('json');
    await bridge.change(waysFrom(bridge, roomId, { ...bothWays({ audio, video, chat }), ...single }));
    return c.json(bridgeView(bridge, roomId), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { room, bridge } = c.req.valid('param');
    await bridges.get(await roomIdOf(room), bridge).finish({ reason: 'requested', message: 'Ended by the API.' });
    return c.body(null, 204);
  });

  return app;
}

interface BothWays {
  readonly audio?: boolean | undefined;
  readonly video?: boolean | undefined;
  readonly chat?: boolean | undefined;
}

function bothWays({ audio, video, chat }: BothWays): Partial<BridgeWays> {
  return {
    ...(audio !== undefined && { hears: audio, isHeard: audio }),
    ...(video !== undefined && { sees: video, isSeen: video }),
    ...(chat !== undefined && { reads: chat, isRead: chat }),
  };
}
