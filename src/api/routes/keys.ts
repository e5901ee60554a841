// Owns: /api/keys, API keys. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import type { ApiKeyInfo } from '../api-keys.ts';
import { type KeyResource, keyInput, keyList, keyParams, newKeySchema, pageQuery } from '../contract.ts';
import { invalidFields } from '../problem.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { nextPage, timeText } from '../views.ts';

const tags = ['Keys'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/keys',
  operationId: 'listKeys',
  tags,
  summary: 'List API keys',
  access: { scope: 'admin' },
  request: { query: pageQuery },
  responses: { 200: jsonBody(keyList, 'A page of keys, without the keys themselves.') },
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/keys',
  operationId: 'createKey',
  tags,
  summary: 'Make an API key',
  access: { scope: 'admin' },
  request: { body: jsonInput(keyInput) },
  responses: { 201: jsonBody(newKeySchema, 'The key. It is shown this once and kept as a hash.') },
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/keys/{key}',
  operationId: 'deleteKey',
  tags,
  summary: 'Delete an API key',
  description: 'It is refused from the next request on. Join tokens that it made stay good.',
  access: { scope: 'admin' },
  request: { params: keyParams },
  responses: { 204: { description: 'Deleted.' } },
  errors: ['not_found'],
});

export function keyRoutes({ auth }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { limit, after } = c.req.valid('query');
    const found = await auth.keys.list({ after, limit: limit + 1 });
    return c.json(nextPage(found.map(keyView), limit), 200);
  });

  app.openapi(createRoute, async (c) => {
    const { name, scopes, expiresAt } = c.req.valid('json');
    const expiresAtMs = expiresAt === undefined ? undefined : Date.parse(expiresAt);
    if (expiresAtMs !== undefined && !(expiresAtMs > Date.now())) {
      throw invalidFields('body', [{ path: ['expiresAt'], message: 'is in the past' }]);
    }
    const { key, info } = await auth.keys.create({ name, scopes: [...new Set(scopes)], expiresAtMs });
    c.get('log').info({ keyId: info.id, scopes }, 'API key made');
    c.header('location', `/api/keys/${info.id}`);
    c.header('cache-control', 'no-store');
    return c.json({ ...keyView(info), key }, 201);
  });

  app.openapi(deleteRoute, async (c) => {
    const { key } = c.req.valid('param');
    await auth.keys.delete(key);
    c.get('log').info({ keyId: key }, 'API key deleted');
    return c.body(null, 204);
  });

  return app;
}

function keyView(info: ApiKeyInfo): KeyResource {
  return {
    id: info.id,
    name: info.name,
    scopes: info.scopes,
    createdAt: timeText(info.createdAtMs),
    lastUsedAt: info.lastUsedAtMs === undefined ? null : timeText(info.lastUsedAtMs),
    expiresAt: info.expiresAtMs === undefined ? null : timeText(info.expiresAtMs),
  };
}
