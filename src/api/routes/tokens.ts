// Owns: /api/rooms/{room}/tokens, leave to join a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { randomText } from '#core/ids.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { roomParams, tokenInput, tokenParams, tokenSchema } from '../contract.ts';
import { playAddresses } from '../play-addresses.ts';
import { invalidFields } from '../problem.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { timeText } from '../views.ts';

/** Nobody can revoke what it cannot guess. */
const tokenIdLength = 16;

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/tokens',
  operationId: 'createToken',
  makes: 'tokens',
  tags: ['Tokens'],
  summary: 'Make a join token',
  description:
    'For one user, one role and this room. It is good until it expires, is revoked, or a moderator removes who came with it.',
  access: { scope: 'tokens:write' },
  request: { params: roomParams, body: jsonInput(tokenInput) },
  responses: { 201: jsonBody(tokenSchema, 'The token, and the page that uses it.') },
  errors: ['not_found'],
});

const revokeRoute = apiRoute({
  method: 'delete',
  path: '/api/tokens/{token}',
  operationId: 'revokeToken',
  tags: ['Tokens'],
  summary: 'Revoke a join token',
  description:
    'Nobody joins with it from now on; who is in stays. A token that an API key has signed is KEY:JTI here, one of an issuer issuer:ISSUER:JTI.',
  access: { scope: 'tokens:write' },
  request: { params: tokenParams },
  responses: { 204: { description: 'Revoked, whether it was ever made or not.' } },
});

export function tokenRoutes({ rooms, auth, avatars, config, ingest }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(createRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    const { user, name, role, attributes, avatarUrl, ttlMs, once, publish, subscribe } = c.req.valid('json');
    if (!record.roles.some((known) => known.role === role)) {
      const message = `is none of this room; it has ${record.roles.map((known) => known.role).join(', ')}`;
      throw invalidFields('body', [{ path: ['role'], message }]);
    }
    if (avatarUrl !== undefined) avatars.assertMayFetch(avatarUrl);
    const expiresAtMs = Date.now() + (ttlMs ?? config.auth.tokenTtlMs);
    const id = randomText(tokenIdLength);
    const grant = {
      tokenId: id,
      room: record.id,
      user,
      displayName: name ?? user,
      role,
      attributes: attributes ?? {},
      avatarUrl,
      expiresAtMs,
      isOneTime: once,
      limits: { publish, subscribe },
    };
    const token = await auth.createJoinToken(grant);
    const base = config.http.publicUrl ?? c.get('origin');
    const url = new URL(`/r/${record.name}`, base);
    url.hash = `token=${token}`;
    c.header('location', `/api/tokens/${id}`);
    c.header('cache-control', 'no-store');
    const play = playAddresses({
      ...{ record, grant, token, base, login: auth.playLogins.loginOf(grant) },
      ...{ ports: ingest.playPorts(), hasHls: config.hls.isEnabled },
    });
    return c.json({ id, token, url: url.href, play, expiresAt: timeText(expiresAtMs) }, 201);
  });

  app.openapi(revokeRoute, async (c) => {
    await auth.revocations.revoke(c.req.valid('param').token);
    return c.body(null, 204);
  });

  return app;
}
