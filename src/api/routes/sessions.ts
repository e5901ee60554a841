// Owns: /api/login, /api/logout and /api/me: signing in, and who one is. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Principal } from '#core/grants.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { loginInput, loginSchema, type Me, meSchema } from '../contract.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { timeText } from '../views.ts';

const tags = ['Sessions'];

const loginRoute = apiRoute({
  method: 'post',
  path: '/api/login',
  operationId: 'login',
  tags,
  summary: 'Sign in with a one-time code',
  description:
    'The code stands in the console link that the server prints when it starts. It is good once, for an hour.',
  access: { to: 'everybody' },
  request: { body: jsonInput(loginInput) },
  responses: { 200: jsonBody(loginSchema, 'A session token with all scopes.') },
  errors: ['unauthorized'],
});

const logoutRoute = apiRoute({
  method: 'post',
  path: '/api/logout',
  operationId: 'logout',
  tags,
  summary: 'End this session',
  access: { to: 'anyone_known' },
  responses: { 204: { description: 'Signed out: the token is refused from now on.' } },
  errors: ['invalid_request'],
});

const meRoute = apiRoute({
  method: 'get',
  path: '/api/me',
  operationId: 'readMe',
  tags,
  summary: 'Who am I',
  access: { to: 'anyone_known' },
  responses: { 200: jsonBody(meSchema, 'What the credential of this request stands for.') },
});

export function sessionRoutes({ auth }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(loginRoute, async (c) => {
    const { token, session } = await auth.login(c.req.valid('json').code, c.get('address'));
    c.get('log').info({ session: session.id, address: c.get('address') }, 'console signed in');
    c.header('cache-control', 'no-store');
    return c.json({ token, expiresAt: timeText(session.expiresAtMs) }, 200);
  });

  app.openapi(logoutRoute, async (c) => {
    await auth.logout(c.get('principal'));
    return c.body(null, 204);
  });

  app.openapi(meRoute, async (c) => c.json(describe(c.get('principal')), 200));

  return app;
}

function describe(principal: Principal): Me {
  if (principal.kind !== 'participant') {
    const { kind, keyId, name, scopes } = principal;
    return { kind, id: keyId, name, scopes };
  }
  const { room, user, displayName, role, attributes, expiresAtMs } = principal.grant;
  const expiresAt = timeText(expiresAtMs);
  return { kind: 'participant', room, user, displayName, role, attributes: { ...attributes }, expiresAt };
}
