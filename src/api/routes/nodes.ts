// Owns: /api/nodes, the gateways that work together, and taking one out of service. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { NodeDrain, NodeInfo, NodeWork } from '#core/nodes.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { type NodeResource, nodeDrainInput, nodeList, nodeParams, nodeQuery, nodeSchema } from '../contract.ts';
import { apiRoute, jsonBody, newRouter } from '../route.ts';
import { pageOf, timeText } from '../views.ts';

const tags = ['Nodes'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/nodes',
  operationId: 'listNodes',
  tags,
  summary: 'List nodes',
  access: { scope: 'rooms:read' },
  request: { query: nodeQuery },
  responses: { 200: jsonBody(nodeList, 'A page of nodes.') },
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/nodes/{node}',
  operationId: 'readNode',
  tags,
  summary: 'Read a node',
  access: { scope: 'rooms:read' },
  request: { params: nodeParams },
  responses: { 200: jsonBody(nodeSchema, 'Its state, load, workers and work.') },
  errors: ['not_found'],
});

const drainRoute = apiRoute({
  method: 'post',
  path: '/api/nodes/{node}/drain',
  operationId: 'drainNode',
  tags,
  summary: 'Drain a node',
  description:
    'It refuses new rooms, participants, calls, viewers, publishers and jobs with 503 `draining`; what is going on goes on. `/ready` is 503. With `timeoutMs` those that are in are told at once when it ends, RTMP publishers are asked to connect again, and what is left when the time is over is sent away: browsers, calls (BYE), publishers and viewers are hung up on, recordings are made whole. Streams that are pulled or pushed begin again with `undrain`. It ends with `undrain`, and with the process: one that is started again takes work.',
  access: { scope: 'admin' },
  request: { params: nodeParams, body: { content: { 'application/json': { schema: nodeDrainInput } } } },
  responses: { 200: jsonBody(nodeSchema, 'It drains; `drain.left` says what is left.') },
  errors: ['not_found'],
});

const undrainRoute = apiRoute({
  method: 'post',
  path: '/api/nodes/{node}/undrain',
  operationId: 'undrainNode',
  tags,
  summary: 'Give a node work again',
  access: { scope: 'admin' },
  request: { params: nodeParams },
  responses: { 200: jsonBody(nodeSchema, 'It takes work.') },
  errors: ['not_found', 'draining'],
});

export function nodeRoutes({ nodes }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { state, ...query } = c.req.valid('query');
    const wanted = (await nodes.list()).filter((node) => state === undefined || node.state === state);
    const page = pageOf(wanted, query);
    return c.json({ ...page, items: page.items.map(nodeView) }, 200);
  });

  app.openapi(readRoute, async (c) => c.json(nodeView(await nodes.read(c.req.valid('param').node)), 200));

  app.openapi(drainRoute, async (c) => {
    const { reason = '', timeoutMs } = c.req.valid('json') ?? {};
    return c.json(nodeView(await nodes.drain(c.req.valid('param').node, { reason, timeoutMs })), 200);
  });

  app.openapi(undrainRoute, async (c) => c.json(nodeView(await nodes.undrain(c.req.valid('param').node)), 200));

  return app;
}

function nodeView(node: NodeInfo): NodeResource {
  const { work, drain, reading, load, runtime, startedAtMs, sfuWorkers, mediaWorkers, ...facts } = node;
  return {
    ...facts,
    nodeVersion: runtime,
    startedAt: timeText(startedAtMs),
    load: {
      ...load,
      cpuPercent: reading ? Math.round(reading.cpuShare * 1_000) / 10 : null,
      eventLoopDelayMs: reading ? Math.round(reading.eventLoopDelayMs * 10) / 10 : null,
    },
    sfuWorkers: sfuWorkers.map((worker) => ({ ...worker })),
    mediaWorkers: mediaWorkers.map((worker) => ({ ...worker })),
    ...{ roomCount: work.rooms, participantCount: work.participants, callCount: work.calls, jobCount: work.jobs },
    drain: drain ? drainView(drain, work) : null,
  };
}

function drainView({ reason, sinceMs, endsAtMs }: NodeDrain, work: NodeWork): NodeResource['drain'] {
  const endsAt = endsAtMs === undefined ? null : timeText(endsAtMs);
  return { reason, since: timeText(sinceMs), endsAt, left: { ...work } };
}
