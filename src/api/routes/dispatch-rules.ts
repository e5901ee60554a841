// Owns: /api/sip/dispatch-rules and /api/sip/dispatch/simulate, which room a call is for. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { dialledOf } from '#core/dispatch.ts';
import type { RuleTime } from '#core/dispatch-match.ts';
import type { DispatchRuleInput, KnownRule } from '#core/dispatch-rules.ts';
import { recordingOrder } from '#core/recorded-call.ts';
import { matchTrunk } from '#core/trunk.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  type DispatchRuleResource,
  dispatchRuleInput,
  dispatchRuleList,
  dispatchRuleParams,
  dispatchRulePatch,
  dispatchRuleSchema,
  pageQuery,
  type SimulationInput,
  simulationInput,
  simulationSchema,
} from '../contract.ts';
import { patched } from '../patched.ts';
import { assertRecordable } from '../recording-settings.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { pageInOrder, timeText } from '../views.ts';

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
  errors: ['not_found', 'conflict', 'unprocessable'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: `${path}/{rule}`,
  operationId: 'patchDispatchRule',
  tags,
  summary: 'Change a rule',
  description: 'What is left out stays, its PIN too; null takes away.',
  access: { scope: 'rooms:write' },
  request: { params: dispatchRuleParams, body: mergePatchInput(dispatchRulePatch) },
  responses: { 200: jsonBody(dispatchRuleSchema, 'As it is now.') },
  errors: ['not_found', 'conflict', 'unprocessable'],
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

export function dispatchRuleRoutes({
  sip: { rules, door, trunks, accounts },
  config,
}: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const sound = (input: DispatchRuleInput) => {
    assertRecordable(input.record, config.recordings);
    return input;
  };

  app.openapi(listRoute, (c) => {
    const { items, next } = pageInOrder(rules.all, c.req.valid('query'));
    return c.json({ items: items.map(view), next }, 200);
  });

  app.openapi(createRuleRoute, async (c) => {
    const rule = await rules.create(sound(c.req.valid('json')));
    c.header('location', `${path}/${rule.id}`);
    return c.json(view(rule), 201);
  });

  app.openapi(readRoute, (c) => c.json(view(rules.get(c.req.valid('param').rule)), 200));

  app.openapi(replaceRoute, async (c) => {
    return c.json(view(await rules.replace(c.req.valid('param').rule, sound(c.req.valid('json')))), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { rule } = c.req.valid('param');
    const input = patched(dispatchRuleInput, rules.inputOf(rule), c.req.valid('json'));
    return c.json(view(await rules.replace(rule, sound(input))), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    await rules.delete(c.req.valid('param').rule);
    return c.body(null, 204);
  });

  app.openapi(simulateRoute, async (c) => {
    const { verdict, trunk, account, rejected } = await simulate(c.req.valid('json'));
    const { room = null, rule, rejection = null, rejectedRules, dialled, outcome, language } = verdict;
    const order = outcome === 'reject' ? undefined : recordingOrder(rule, trunk?.inbound);
    const steps = order
      ? [...verdict.steps, `The call is recorded once it is in its room: the ${order.by} says so.`]
      : verdict.steps;
    const answer = {
      ...{ dialled, outcome, language, steps, room, rejection, rule: rule ? view(rule) : null },
      ...{ trunk: trunk ? { id: trunk.id, name: trunk.name } : null, account: account ?? null },
      recordedBy: order?.by ?? null,
      rejectedTrunks: rejected.map(({ trunk: { id, name }, reason }) => ({ id, name, reason })),
      rejectedRules: rejectedRules.map(({ rule: { id }, reason }) => ({ id, reason })),
    };
    return c.json(answer, 200);
  });

  /** Who it would be, then what would become of it. */
  async function simulate({ to, from = '', source, username, headers = {}, at }: SimulationInput) {
    const uri = uriOf(to);
    const named = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const call = { address: source ?? '0.0.0.0', username, dialled: dialledOf(uri) };
    const { trunk, rejected } = matchTrunk(trunks.all, call);
    const account = trunk || username === undefined ? undefined : accounts.find(username)?.username;
    const verdict = await door.explain(uri, {
      ...{ trunk, account, from: dialledOf(uriOf(from)), header: (name) => named.get(name.toLowerCase()) },
      ...(at !== undefined && { atMs: Date.parse(at) }),
    });
    return { verdict, trunk, account, rejected };
  }

  return app;
}

function uriOf(text: string): string {
  return /^(sips?|tel):/i.test(text) ? text : `sip:${encodeURI(text).replaceAll('@', '%40')}@localhost`;
}

function view(rule: KnownRule): DispatchRuleResource {
  const { id, source, order, number = null, pattern = null, room = null, access = null, language = null } = rule;
  const { numberRange = null, from = null, fromPattern = null, trunk = null, account = null, createdAtMs } = rule;
  const { divertedFrom = null } = rule;
  const { headers, time, personalRoom = null, webhook, menu = null, reject, pin } = rule;
  return {
    ...{ id, source, order, number, numberRange, pattern, from, fromPattern, divertedFrom, trunk, account },
    ...{ headers: headers ? { ...headers } : null, time: time ? timeView(time) : null },
    ...{ room, personalRoom, menu, access, language, reject: reject ? { ...reject } : null, hasPin: pin !== undefined },
    webhook: webhook
      ? { url: webhook.url, timeoutMs: webhook.timeoutMs ?? null, fallbackRoom: webhook.fallbackRoom ?? null }
      : null,
    record: rule.record ?? null,
    createdAt: createdAtMs === undefined ? null : timeText(createdAtMs),
  };
}

function timeView({ days, from, to, timeZone }: RuleTime): DispatchRuleResource['time'] {
  return { days: days ?? null, from: from ?? null, to: to ?? null, timeZone: timeZone ?? null };
}
