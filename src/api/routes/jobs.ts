// Owns: /api/jobs, the work of media workers. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import type { JobId } from '#core/ids.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { jobList, jobParams, jobQuery, jobSchema } from '../contract.ts';
import { apiRoute, jsonBody, newRouter } from '../route.ts';
import { jobView, pageOf } from '../views.ts';

const tags = ['Jobs'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/jobs',
  operationId: 'listJobs',
  tags,
  summary: 'List jobs',
  description: 'What media workers do now: a job that is over is not kept.',
  access: { scope: 'rooms:read' },
  request: { query: jobQuery },
  responses: { 200: jsonBody(jobList, 'A page of jobs.') },
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/jobs/{job}',
  operationId: 'readJob',
  tags,
  summary: 'Read a job',
  access: { scope: 'rooms:read' },
  request: { params: jobParams },
  responses: { 200: jsonBody(jobSchema, 'The job.') },
  errors: ['not_found'],
});

export function jobRoutes({ ingest }: ApiOptions): OpenAPIHono<ApiEnv> {
  const { jobs } = ingest.media;
  const app = newRouter();

  app.openapi(listRoute, (c) => {
    const { kind, state, ...query } = c.req.valid('query');
    const wanted = [...jobs.values()].filter(
      (job) => (kind === undefined || job.spec.kind === kind) && (state === undefined || job.state === state),
    );
    const page = pageOf(wanted, query);
    return c.json({ ...page, items: page.items.map(({ info }) => jobView(info)) }, 200);
  });

  app.openapi(readRoute, (c) => {
    const job = jobs.get(c.req.valid('param').job as JobId);
    if (!job) throw new GatewayError('not_found', 'There is no such job; those that are over are not kept.');
    return c.json(jobView(job.info), 200);
  });

  return app;
}
