// Owns: /api/audit, who did what. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { auditList, auditQuery } from '../contract.ts';
import { apiRoute, jsonBody, newRouter } from '../route.ts';
import { nextPage, timeText } from '../views.ts';

const listRoute = apiRoute({
  method: 'get',
  path: '/api/audit',
  operationId: 'listAudit',
  tags: ['Audit'],
  summary: 'Read who did what',
  description: 'Everything that was asked to change something, done or refused.',
  access: { scope: 'audit:read' },
  request: { query: auditQuery },
  responses: { 200: jsonBody(auditList, 'A page of the audit log.') },
});

const digits = 12;

export function auditRoutes({ audit }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  app.openapi(listRoute, (c) => {
    const { after, limit, ...filter } = c.req.valid('query');
    const [, number] = /^AU_(\d{12})$/.exec(after ?? '') ?? [];
    const [first, last] = filter.order === 'newest' ? [Number.MAX_SAFE_INTEGER, 0] : [0, Number.MAX_SAFE_INTEGER];
    // What is no id stands behind everything.
    const from = after === undefined ? first : Number(number ?? last);
    const found = audit.read({ ...filter, after: from, limit: limit + 1 }).map(({ id, atMs, ...entry }) => ({
      ...entry,
      id: `AU_${String(id).padStart(digits, '0')}`,
      at: timeText(atMs),
    }));
    return c.json(nextPage(found, limit), 200);
  });
  return app;
}
