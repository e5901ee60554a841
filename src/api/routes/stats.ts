// Owns: /api/rooms/{room}/stats, how media flows in a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { roomParams, statsSchema } from '../contract.ts';
import { liveRoom } from '../room-lookup.ts';
import { RoomStatsReader } from '../room-stats.ts';
import { apiRoute, jsonBody, newRouter } from '../route.ts';

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/stats',
  operationId: 'readStats',
  tags: ['Stats'],
  summary: 'Read live counters of a room',
  description: 'Measured once a second at the most, whoever asks how often.',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: roomParams },
  responses: { 200: jsonBody(statsSchema, 'Counters by participant and stream; empty when nobody is there.') },
  errors: ['not_found'],
});

export function statsRoutes({ rooms }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const reader = new RoomStatsReader();

  app.openapi(readRoute, async (c) => {
    const room = await liveRoom(rooms, c.req.valid('param').room);
    const stats = await reader.read(room);
    if (c.get('principal').kind !== 'participant') return c.json(stats, 200);
    // Where the others are is not for those in the room to know.
    const participants = stats.participants.map((participant) => ({ ...participant, remoteAddress: null }));
    return c.json({ ...stats, participants }, 200);
  });

  return app;
}
