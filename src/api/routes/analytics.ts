// Owns: /api/rooms/{room}/analytics, looking for things in the media of a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { analysisView } from '../analysis-view.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { analysisInput, analysisList, analysisParams, analysisQuery, analysisSchema, roomParams } from '../contract.ts';
import { sourceOf } from '../media-source-view.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { pageInOrder } from '../views.ts';

const tags = ['Analytics'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/analytics',
  operationId: 'listAnalytics',
  tags,
  summary: 'List what is looked for in a room',
  access: { scope: 'rooms:read', participants: 'moderate' },
  request: { params: roomParams, query: analysisQuery },
  responses: { 200: jsonBody(analysisList, 'A page of analyses, the oldest first.') },
  errors: ['not_found'],
});

const startRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/analytics',
  operationId: 'startAnalysis',
  tags,
  summary: 'Begin to look for something',
  description:
    'What is found is told by events, `analytics.detected` and `analytics.cleared`. It runs whenever somebody is in the room, until it is deleted.',
  access: { scope: 'rooms:write' },
  request: { params: roomParams, body: jsonInput(analysisInput) },
  responses: { 201: jsonBody(analysisSchema, 'It runs, or waits for somebody to come.') },
  errors: ['not_found', 'unprocessable', 'limit_reached', 'overloaded', 'draining'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/analytics/{analysis}',
  operationId: 'readAnalysis',
  tags,
  summary: 'Read what is so now, and what was measured last',
  access: { scope: 'rooms:read', participants: 'moderate' },
  request: { params: analysisParams },
  responses: { 200: jsonBody(analysisSchema, 'The analysis.') },
  errors: ['not_found'],
});

const stopRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/analytics/{analysis}',
  operationId: 'stopAnalysis',
  tags,
  summary: 'Stop looking',
  access: { scope: 'rooms:write' },
  request: { params: analysisParams },
  responses: { 204: { description: 'It has ended.' } },
  errors: ['not_found'],
});

export function analyticsRoutes({ analyses, rooms }: ApiOptions): OpenAPIHono<ApiEnv> {
  const roomIdOf = async (room: string) => (await rooms.get(room)).record.id;
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { state, ...query } = c.req.valid('query');
    const all = analyses.of(await roomIdOf(c.req.valid('param').room)).map(analysisView);
    const wanted = all.filter((one) => state === undefined || one.state === state);
    return c.json(pageInOrder(wanted, query), 200);
  });

  app.openapi(startRoute, async (c) => {
    const { source, ...settings } = c.req.valid('json');
    const roomId = await roomIdOf(c.req.valid('param').room);
    const made = await analyses.start(roomId, { ...settings, source: sourceOf(source) });
    c.header('location', `/api/rooms/${roomId}/analytics/${made.record.id}`);
    return c.json(analysisView(made), 201);
  });

  app.openapi(readRoute, async (c) => {
    const { room, analysis } = c.req.valid('param');
    return c.json(analysisView(analyses.get(await roomIdOf(room), analysis)), 200);
  });

  app.openapi(stopRoute, async (c) => {
    const { room, analysis } = c.req.valid('param');
    await analyses.delete(await roomIdOf(room), analysis);
    return c.body(null, 204);
  });

  return app;
}
