// Owns: /api/sip/trunks, carriers and PBXs. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { TrunkInput, TrunkRecord, TrunkStatus } from '#core/trunk.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { pageQuery, type SipTrunk, trunkInput, trunkList, trunkParams, trunkPatch, trunkSchema } from '../contract.ts';
import { patched } from '../patched.ts';
import { assertRecordable } from '../recording-settings.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { pageInOrder, timeText } from '../views.ts';

const tags = ['SIP trunks'];
const path = '/api/sip/trunks';

const listRoute = apiRoute({
  method: 'get',
  path,
  operationId: 'listTrunks',
  tags,
  summary: 'List the trunks',
  description: 'In the order in which a call is compared with them. Passwords are not told.',
  access: { scope: 'rooms:read' },
  request: { query: pageQuery },
  responses: { 200: jsonBody(trunkList, 'A page of trunks.') },
});

const createTrunkRoute = apiRoute({
  method: 'post',
  path,
  operationId: 'createTrunk',
  tags,
  summary: 'Make a trunk',
  description: 'It registers and is watched from now on; `status` tells how that goes.',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(trunkInput) },
  responses: { 201: jsonBody(trunkSchema, 'It holds from the next call on.') },
  errors: ['conflict', 'limit_reached'],
});

const readRoute = apiRoute({
  method: 'get',
  path: `${path}/{trunk}`,
  operationId: 'readTrunk',
  tags,
  summary: 'Read a trunk and its state',
  access: { scope: 'rooms:read' },
  request: { params: trunkParams },
  responses: { 200: jsonBody(trunkSchema, 'The trunk; its passwords are not told.') },
  errors: ['not_found'],
});

const replaceRoute = apiRoute({
  method: 'put',
  path: `${path}/{trunk}`,
  operationId: 'replaceTrunk',
  tags,
  summary: 'Replace a trunk',
  description: 'Calls that are on go on. A password that is left out stays as it was.',
  access: { scope: 'rooms:write' },
  request: { params: trunkParams, body: jsonInput(trunkInput) },
  responses: { 200: jsonBody(trunkSchema, 'As it is now.') },
  errors: ['not_found', 'conflict', 'unprocessable'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: `${path}/{trunk}`,
  operationId: 'patchTrunk',
  tags,
  summary: 'Change a trunk',
  description: 'What is left out stays, null takes away. Calls that are on go on.',
  access: { scope: 'rooms:write' },
  request: { params: trunkParams, body: mergePatchInput(trunkPatch) },
  responses: { 200: jsonBody(trunkSchema, 'As it is now.') },
  errors: ['not_found', 'conflict', 'unprocessable'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: `${path}/{trunk}`,
  operationId: 'deleteTrunk',
  tags,
  summary: 'Delete a trunk',
  description: 'Takes its registration back; calls that are on go on.',
  access: { scope: 'rooms:write' },
  request: { params: trunkParams },
  responses: { 204: { description: 'Gone.' } },
  errors: ['not_found'],
});

export function trunkRoutes({ sip: { trunks, lines }, config }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const shown = (trunk: TrunkRecord) => view(trunk, lines.statusOf(trunk.id));

  app.openapi(listRoute, (c) => {
    const { items, next } = pageInOrder(trunks.all, c.req.valid('query'));
    return c.json({ items: items.map(shown), next }, 200);
  });

  const sound = (input: TrunkInput) => {
    for (const side of [input.inbound, input.outbound]) assertRecordable(side?.record, config.recordings);
    return input;
  };

  app.openapi(createTrunkRoute, async (c) => {
    const trunk = await trunks.create(sound(c.req.valid('json')));
    c.header('location', `${path}/${trunk.id}`);
    return c.json(shown(trunk), 201);
  });

  app.openapi(readRoute, (c) => c.json(shown(trunks.get(c.req.valid('param').trunk)), 200));

  app.openapi(replaceRoute, async (c) => {
    return c.json(shown(await trunks.replace(c.req.valid('param').trunk, sound(c.req.valid('json')))), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const trunk = trunks.get(c.req.valid('param').trunk);
    const input = patched(trunkInput, trunks.inputOf(trunk), c.req.valid('json'));
    return c.json(shown(await trunks.replace(trunk.id, sound(input))), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    await trunks.delete(c.req.valid('param').trunk);
    return c.body(null, 204);
  });

  return app;
}

function view(trunk: TrunkRecord, status: TrunkStatus | undefined): SipTrunk {
  const { id, name, isEnabled, media, headers, createdAtMs } = trunk;
  return {
    ...{ id, name, isEnabled, inbound: inboundView(trunk), outbound: outboundView(trunk) },
    media: { server: media?.server ?? null, codecs: media?.codecs ?? null, srtp: media?.srtp ?? null },
    headers: { attributes: headers?.attributes ?? [], allowed: headers?.allowed ?? [] },
    status: statusView(status),
    createdAt: timeText(createdAtMs),
  };
}

function inboundView({ inbound }: TrunkRecord): SipTrunk['inbound'] {
  if (!inbound) return null;
  const { sealedPassword, addresses, numbers, ...rest } = inbound;
  return {
    ...rest,
    ...(addresses && { addresses: [...addresses] }),
    ...(numbers && { numbers: [...numbers] }),
    hasPassword: sealedPassword !== undefined,
  };
}

function outboundView({ outbound }: TrunkRecord): SipTrunk['outbound'] {
  if (!outbound) return null;
  const { sealedPassword, hosts, callerId, ...rest } = outbound;
  const allowed = callerId?.allowed;
  return {
    ...{ ...rest, hosts: [...hosts] },
    ...(callerId && { callerId: { ...callerId, allowed: allowed && [...allowed] } }),
    hasPassword: sealedPassword !== undefined,
  };
}

function statusView(status: TrunkStatus | undefined): SipTrunk['status'] {
  if (!status) {
    const none = { state: 'unknown' as const, since: null, lastError: null, lastErrorAt: null };
    return { ...none, inboundCalls: 0, outboundCalls: 0, registration: null, hosts: [] };
  }
  const { sinceMs, lastErrorAtMs, lastError = null, registration, hosts, ...rest } = status;
  const expiresAtMs = registration?.expiresAtMs;
  return {
    ...{ ...rest, lastError, since: timeText(sinceMs) },
    lastErrorAt: lastErrorAtMs === undefined ? null : timeText(lastErrorAtMs),
    registration: registration
      ? { state: registration.state, expiresAt: expiresAtMs === undefined ? null : timeText(expiresAtMs) }
      : null,
    hosts: hosts.map(({ host, state, roundTripMs = null, lastError: error = null }) => {
      return { host, state, roundTripMs, lastError: error };
    }),
  };
}
