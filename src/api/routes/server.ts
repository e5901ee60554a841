// Owns: /api/server, /health, /ready and /metrics: the server itself. May import: core, ./.. of the API.
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { answerWithin } from '../answer-within.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { liveSchema, readySchema, serverSchema } from '../contract.ts';
import { apiRoute, jsonBody, newRouter } from '../route.ts';
import { version } from '../version.ts';
import { timeText } from '../views.ts';

const tags = ['Server'];
const workersTimeoutMs = 1_000;

const serverRoute = apiRoute({
  method: 'get',
  path: '/api/server',
  operationId: 'readServer',
  tags,
  summary: 'Read about this server',
  access: { scope: 'rooms:read' },
  responses: { 200: jsonBody(serverSchema, 'Version, load and whether it is ready.') },
});

const healthRoute = apiRoute({
  method: 'get',
  path: '/health',
  operationId: 'readHealth',
  tags,
  summary: 'Is it alive',
  description: 'Depends on nothing outside of the process.',
  access: { to: 'everybody' },
  responses: { 200: jsonBody(liveSchema, 'It is.') },
});

const readyRoute = apiRoute({
  method: 'get',
  path: '/ready',
  operationId: 'readReadiness',
  tags,
  summary: 'May it be given work',
  access: { to: 'everybody' },
  responses: { 200: jsonBody(readySchema, 'It may.'), 503: jsonBody(readySchema, 'It may not, and why.') },
});

const metricsRoute = apiRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'readMetrics',
  tags,
  summary: 'Read metrics',
  access: { scope: 'metrics:read' },
  responses: {
    200: { description: 'Prometheus text format.', content: { 'text/plain': { schema: z.string() } } },
  },
});

/** What anybody may ask: a load balancer, an orchestrator. */
export function healthRoutes({ health }: Pick<ApiOptions, 'health'>): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  app.openapi(healthRoute, (c) => {
    c.header('cache-control', 'no-store');
    return c.json(health.live(), 200);
  });
  app.openapi(readyRoute, async (c) => {
    const readiness = await health.ready();
    c.header('cache-control', 'no-store');
    return c.json(readiness, readiness.isReady ? 200 : 503);
  });
  return app;
}

export function serverRoutes({ rooms, sfu, health, metrics }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(serverRoute, async (c) => {
    const live = [...rooms.liveRooms()];
    return c.json(
      {
        version,
        nodeVersion: process.version,
        startedAt: timeText(health.startedAtMs),
        uptimeMs: health.live().uptimeMs,
        isDraining: health.isDraining,
        ...(await health.ready()),
        roomCount: live.length,
        participantCount: live.reduce((total, room) => total + room.visibleCount, 0),
        sfuWorkers: ((await answerWithin(workersTimeoutMs, () => sfu.describeWorkers())) ?? []).map((worker) => ({
          ...worker,
        })),
      },
      200,
    );
  });

  app.openapi(metricsRoute, async (c) => c.text(await metrics.render(), 200, { 'content-type': metrics.contentType }));

  return app;
}
