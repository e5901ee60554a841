// Owns: /api/sip/bans, addresses that SIP does not listen to. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Ban } from '#core/bans.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { pageQuery, type SipBan, sipBanInput, sipBanList, sipBanParams, sipBanSchema } from '../contract.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { nextPage, timeText } from '../views.ts';

const tags = ['SIP bans'];
const path = '/api/sip/bans';

const listRoute = apiRoute({
  method: 'get',
  path,
  operationId: 'listSipBans',
  tags,
  summary: 'List the addresses that are banned now',
  description: 'The newest first.',
  access: { scope: 'rooms:read' },
  request: { query: pageQuery },
  responses: { 200: jsonBody(sipBanList, 'A page of bans.') },
});

const createBanRoute = apiRoute({
  method: 'post',
  path,
  operationId: 'createSipBan',
  tags,
  summary: 'Ban an address or a range',
  description: 'It gets no answer any more, whatever it sends.',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(sipBanInput) },
  responses: { 201: jsonBody(sipBanSchema, 'It holds from the next packet on.') },
  errors: ['limit_reached'],
});

const readRoute = apiRoute({
  method: 'get',
  path: `${path}/{ban}`,
  operationId: 'readSipBan',
  tags,
  summary: 'Read a ban',
  access: { scope: 'rooms:read' },
  request: { params: sipBanParams },
  responses: { 200: jsonBody(sipBanSchema, 'The ban.') },
  errors: ['not_found'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: `${path}/{ban}`,
  operationId: 'deleteSipBan',
  tags,
  summary: 'Listen to an address again',
  description: 'What it did is forgotten.',
  access: { scope: 'rooms:write' },
  request: { params: sipBanParams },
  responses: { 204: { description: 'Gone.' } },
  errors: ['not_found'],
});

export function sipBanRoutes({ sip: { bans } }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, (c) => {
    const { after = '', limit } = c.req.valid('query');
    const { all } = bans;
    const from = all.findIndex(({ id }) => id === after) + 1;
    return c.json(nextPage(all.slice(from, from + limit + 1).map(view), limit), 200);
  });

  app.openapi(createBanRoute, async (c) => {
    const ban = await bans.create(c.req.valid('json'));
    c.header('location', `${path}/${ban.id}`);
    return c.json(view(ban), 201);
  });

  app.openapi(readRoute, (c) => c.json(view(bans.get(c.req.valid('param').ban)), 200));

  app.openapi(deleteRoute, async (c) => {
    await bans.delete(c.req.valid('param').ban);
    return c.body(null, 204);
  });

  return app;
}

function view({ createdAtMs, untilMs, ...ban }: Ban): SipBan {
  return { ...ban, createdAt: timeText(createdAtMs), until: untilMs === undefined ? null : timeText(untilMs) };
}
