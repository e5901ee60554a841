// Owns: /api/keys, API keys. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import { hasScope, type Principal, type Scope } from '#core/grants.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import type { ApiKeyInfo } from '../api-keys.ts';
import {
  type KeyResource,
  keyInput,
  keyList,
  keyParams,
  keyPatch,
  keyRotation,
  keySchema,
  newKeySchema,
  pageQuery,
} from '../contract.ts';
import { etagOf } from '../preconditions.ts';
import { invalidFields } from '../problem.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { nextPage, timeText } from '../views.ts';

const tags = ['Keys'];
const reading = { scope: 'keys:read' } as const;
const writing = { scope: 'keys:write' } as const;

const listRoute = apiRoute({
  method: 'get',
  path: '/api/keys',
  operationId: 'listKeys',
  tags,
  summary: 'List API keys',
  access: reading,
  request: { query: pageQuery },
  responses: { 200: jsonBody(keyList, 'A page of keys, without the keys themselves.') },
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/keys',
  operationId: 'createKey',
  tags,
  summary: 'Make an API key',
  description: 'With no more than you may yourself. It also signs tokens: JWTs with HS256, its id as `kid`.',
  access: writing,
  request: { body: jsonInput(keyInput) },
  responses: { 201: jsonBody(newKeySchema, 'The key. It is shown this once.') },
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/keys/{key}',
  operationId: 'readKey',
  tags,
  summary: 'Read about an API key',
  access: reading,
  request: { params: keyParams },
  responses: { 200: jsonBody(keySchema, 'The key, without the key itself.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/keys/{key}',
  operationId: 'patchKey',
  tags,
  summary: 'Change an API key',
  description: 'Holds from the next request on.',
  access: writing,
  request: { params: keyParams, body: mergePatchInput(keyPatch) },
  responses: { 200: jsonBody(keySchema, 'The key as it is now.') },
  errors: ['not_found', 'conflict'],
});

const rotateRoute = apiRoute({
  method: 'post',
  path: '/api/keys/{key}/rotate',
  operationId: 'rotateKey',
  tags,
  summary: 'Change the secret of an API key',
  description: 'Id, name and scopes stay.',
  access: writing,
  request: { params: keyParams, body: jsonInput(keyRotation) },
  responses: { 200: jsonBody(newKeySchema, 'The key. It is shown this once.') },
  errors: ['not_found'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/keys/{key}',
  operationId: 'deleteKey',
  tags,
  summary: 'Delete an API key',
  description:
    'It and the tokens that it has signed are refused from the next request on; join tokens made with it stay good.',
  access: writing,
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
    assertMayGive(c.get('principal'), scopes);
    const made = await auth.keys.create({ name, scopes: [...new Set(scopes)], expiresAtMs: expiryOf(expiresAt) });
    c.get('log').info({ keyId: made.info.id, scopes }, 'API key made');
    c.header('location', `/api/keys/${made.info.id}`);
    c.header('cache-control', 'no-store');
    return c.json({ ...keyView(made.info), key: made.key }, 201);
  });

  app.openapi(readRoute, async (c) => {
    const { info, revision } = await auth.keys.get(c.req.valid('param').key);
    c.header('etag', etagOf(revision));
    return c.json(keyView(info), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { key } = c.req.valid('param');
    const { info } = await auth.keys.get(key);
    const { name, scopes, expiresAt } = c.req.valid('json');
    // Neither is a key taken over that may more, nor made to be one.
    assertMayGive(c.get('principal'), [...info.scopes, ...(scopes ?? [])]);
    const changed = await auth.keys.update(key, {
      ...(name !== undefined && { name }),
      ...(scopes && { scopes: [...new Set(scopes)] }),
      ...(expiresAt !== undefined && { expiresAtMs: expiryOf(expiresAt) }),
    });
    c.header('etag', etagOf(changed.revision));
    return c.json(keyView(changed.info), 200);
  });

  app.openapi(rotateRoute, async (c) => {
    const { key: id } = c.req.valid('param');
    assertMayGive(c.get('principal'), (await auth.keys.get(id)).info.scopes);
    const { key, info } = await auth.keys.rotate(id, c.req.valid('json').keepOldMs);
    c.get('log').info({ keyId: id }, 'API key rotated');
    c.header('cache-control', 'no-store');
    return c.json({ ...keyView(info), key }, 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { key } = c.req.valid('param');
    await auth.keys.delete(key);
    c.get('log').info({ keyId: key }, 'API key deleted');
    return c.body(null, 204);
  });

  return app;
}

/** @throws GatewayError `forbidden` */
function assertMayGive(principal: Principal, scopes: readonly Scope[]): void {
  const excess = scopes.filter((scope) => !hasScope(principal, scope));
  if (excess.length > 0) throw new GatewayError('forbidden', `You may not give ${excess.join(', ')} yourself.`);
}

/** @throws GatewayError `invalid_request` for a time that is over */
function expiryOf(expiresAt: string | null | undefined): number | undefined {
  if (expiresAt === undefined || expiresAt === null) return undefined;
  const expiresAtMs = Date.parse(expiresAt);
  if (expiresAtMs > Date.now()) return expiresAtMs;
  throw invalidFields('body', [{ path: ['expiresAt'], message: 'is in the past' }]);
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
