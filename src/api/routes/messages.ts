// Owns: /api/rooms/{room}/messages, chat by API. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import type { ParticipantId } from '#core/ids.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { messageInput, messageList, messageQuery, messageSchema, roomParams } from '../contract.ts';
import { liveRoom } from '../room-lookup.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { messageView, pageInOrder } from '../views.ts';

const tags = ['Messages'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/messages',
  operationId: 'listMessages',
  tags,
  summary: 'Read the last messages to everybody',
  access: { scope: 'rooms:read' },
  request: { params: roomParams, query: messageQuery },
  responses: {
    200: jsonBody(
      messageList,
      'The last hundred at the most, newest first unless asked; kept while the room is in use.',
    ),
  },
  errors: ['not_found'],
});

const sendRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/messages',
  operationId: 'sendMessage',
  tags,
  summary: 'Send a message from the server',
  access: { scope: 'rooms:write' },
  request: { params: roomParams, body: jsonInput(messageInput) },
  responses: { 201: jsonBody(messageSchema, 'The message as it was sent.') },
  errors: ['not_found', 'conflict'],
});

export function messageRoutes({ rooms }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const room = await liveRoom(rooms, c.req.valid('param').room);
    const { order, ...query } = c.req.valid('query');
    const kept = room?.chatHistory ?? [];
    const { items, next } = pageInOrder(order === 'oldest' ? kept : kept.toReversed(), query);
    return c.json({ items: items.map(messageView), next }, 200);
  });

  app.openapi(sendRoute, async (c) => {
    const { text, to } = c.req.valid('json');
    const room = await liveRoom(rooms, c.req.valid('param').room);
    if (!room) throw new GatewayError('conflict', 'Nobody is in the room to read it.');
    c.header('location', `/api/rooms/${room.id}/messages`);
    return c.json(messageView(room.sendChat(undefined, (to as ParticipantId | undefined) ?? 'all', text)), 201);
  });

  return app;
}
