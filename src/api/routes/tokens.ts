// Owns: /api/rooms/{room}/tokens, leave to join a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { roomParams, tokenInput, tokenSchema } from '../contract.ts';
import { invalidFields } from '../problem.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { timeText } from '../views.ts';

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/tokens',
  operationId: 'createToken',
  tags: ['Tokens'],
  summary: 'Make a join token',
  description: 'For one user, one role and this room. It cannot be taken back before it expires.',
  access: { scope: 'tokens:write' },
  request: { params: roomParams, body: jsonInput(tokenInput) },
  responses: { 201: jsonBody(tokenSchema, 'The token, and the page that uses it.') },
  errors: ['not_found'],
});

export function tokenRoutes({ rooms, auth, config }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(createRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    const { user, name, role, attributes, ttlMs } = c.req.valid('json');
    if (!record.roles.some((known) => known.role === role)) {
      const message = `is none of this room; it has ${record.roles.map((known) => known.role).join(', ')}`;
      throw invalidFields('body', [{ path: ['role'], message }]);
    }
    const expiresAtMs = Date.now() + (ttlMs ?? config.auth.tokenTtlMs);
    const token = await auth.createJoinToken({
      room: record.id,
      user,
      displayName: name ?? user,
      role,
      attributes: attributes ?? {},
      expiresAtMs,
    });
    const base = config.http.publicUrl ?? c.get('origin');
    const url = new URL(`/r/${record.name}`, base);
    url.hash = `token=${token}`;
    c.header('cache-control', 'no-store');
    return c.json({ token, url: url.href, expiresAt: timeText(expiresAtMs) }, 201);
  });

  return app;
}
