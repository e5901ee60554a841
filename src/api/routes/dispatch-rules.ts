// Owns: /api/sip/dispatch-rules and /api/sip/dispatch/simulate, which room a call is for. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { KnownRule } from '#core/dispatch-rules.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  type DispatchRuleResource,
  dispatchRuleInput,
  dispatchRuleList,
  dispatchRuleParams,
  dispatchRuleSchema,
  pageQuery,
  simulationInput,
  simulationSchema,
} from '../contract.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';
import { nextPage, timeText } from '../views.ts';

const tags = ['SIP calls'];
const path = '/api/sip/dispatch-rules';

const listRoute = apiRoute({
  method: 'get',
  path,
  operationId: 'listDispatchRules',
  tags,
  summary: 'List the rules for calls that come in',
  description: 'In the order in which they are tried: those of the configuration first.',
  access: { scope: 'rooms:read' },
  request: { query: pageQuery },
  responses: { 200: jsonBody(dispatchRuleList, 'A page of rules.') },
});

const createRuleRoute = apiRoute({
  method: 'post',
  path,
  operationId: 'createDispatchRule',
  tags,
  summary: 'Make a rule',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(dispatchRuleInput) },
  responses: { 201: jsonBody(dispatchRuleSchema, 'It holds from the next call on.') },
  errors: ['limit_reached'],
});

const readRoute = apiRoute({
  method: 'get',
  path: `${path}/{rule}`,
  operationId: 'readDispatchRule',
  tags,
  summary: 'Read a rule',
  access: { scope: 'rooms:read' },
  request: { params: dispatchRuleParams },
  responses: { 200: jsonBody(dispatchRuleSchema, 'The rule; its PIN is not told.') },
  errors: ['not_found'],
});

const replaceRoute = apiRoute({
  method: 'put',
  path: `${path}/{rule}`,
  operationId: 'replaceDispatchRule',
  tags,
  summary: 'Replace a rule',
  access: { scope: 'rooms:write' },
  request: { params: dispatchRuleParams, body: jsonInput(dispatchRuleInput) },
  responses: { 200: jsonBody(dispatchRuleSchema, 'As it is now.') },
  errors: ['not_found', 'conflict'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: `${path}/{rule}`,
  operationId: 'deleteDispatchRule',
  tags,
  summary: 'Delete a rule',
  access: { scope: 'rooms:write' },
  request: { params: dispatchRuleParams },
  responses: { 204: { description: 'Gone.' } },
  errors: ['not_found', 'conflict'],
});

const simulateRoute = apiRoute({
  method: 'post',
  path: '/api/sip/dispatch/simulate',
  operationId: 'simulateDispatch',
  tags,
  summary: 'Ask what would become of a call',
  description: 'Nothing rings, and no guess is counted.',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(simulationInput) },
  responses: { 200: jsonBody(simulationSchema, 'Where it would land, or why not.') },
});

export function dispatchRuleRoutes({ sip: { rules, door } }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, (c) => {
    const { after = '', limit } = c.req.valid('query');
    const from = rules.all.findIndex(({ id }) => id === after) + 1;
    return c.json(nextPage(rules.all.slice(from, from + limit + 1).map(view), limit), 200);
  });

  app.openapi(createRuleRoute, async (c) => {
    const rule = await rules.create(c.req.valid('json'));
    c.header('location', `${path}/${rule.id}`);
    return c.json(view(rule), 201);
  });

  app.openapi(readRoute, (c) => c.json(view(rules.get(c.req.valid('param').rule)), 200));

  app.openapi(replaceRoute, async (c) => {
    return c.json(view(await rules.replace(c.req.valid('param').rule, c.req.valid('json'))), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    await rules.delete(c.req.valid('param').rule);
    return c.body(null, 204);
  });

  app.openapi(simulateRoute, async (c) => {
    const { to } = c.req.valid('json');
    const uri = /^(sips?|tel):/i.test(to) ? to : `sip:${encodeURI(to).replaceAll('@', '%40')}@localhost`;
    const { room = null, rule, rejection = null, hasPrompts, ...verdict } = await door.explain(uri);
    return c.json({ ...verdict, room, rule: rule ? view(rule) : null, rejection }, 200);
  });

  return app;
}

function view({
  pin,
  number,
  pattern,
  room,
  access,
  language,
  reject,
  createdAtMs,
  ...rest
}: KnownRule): DispatchRuleResource {
  return {
    ...rest,
    ...{ number: number ?? null, pattern: pattern ?? null, room: room ?? null },
    ...{ access: access ?? null, language: language ?? null, reject: reject ? { ...reject } : null },
    hasPin: pin !== undefined,
    createdAt: createdAtMs === undefined ? null : timeText(createdAtMs),
  };
}
