// Owns: /api/sip/calls, the calls of all rooms: those that are on and those that were. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { z } from 'zod';
import type { CallInfo } from '#core/call.ts';
import { GatewayError } from '#core/errors.ts';
import type { ApiEnv, ApiOptions, ApiSip } from '../api-env.ts';
import { callView } from '../call-view.ts';
import { callList, callListQuery, callMessagesSchema, callParams, sipCallSchema } from '../contract.ts';
import { roomIdOf } from '../room-lookup.ts';
import { apiRoute, jsonBody, newRouter } from '../route.ts';
import { nextPage, timeText } from '../views.ts';

const tags = ['SIP calls'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/sip/calls',
  operationId: 'listCalls',
  tags,
  summary: 'List calls, the newest first',
  description: 'Of all rooms: those that are on, and records of those that have ended or were refused.',
  access: { scope: 'rooms:read' },
  request: { query: callListQuery },
  responses: { 200: jsonBody(callList, 'A page of calls.') },
  errors: ['not_found'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/sip/calls/{sipCall}',
  operationId: 'readCall',
  tags,
  summary: 'Read a call or its record',
  access: { scope: 'rooms:read' },
  request: { params: callParams },
  responses: { 200: jsonBody(sipCallSchema, 'The call.') },
  errors: ['not_found'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/sip/calls/{sipCall}',
  operationId: 'hangUpCall',
  tags,
  summary: 'Hang up a call wherever it is',
  description:
    'Also one that is in no room: in a menu, asked for its PIN, waiting at a door, parked. Its record stays.',
  access: { scope: 'rooms:write' },
  request: { params: callParams },
  responses: { 204: { description: 'It has ended.' } },
  errors: ['not_found', 'closed'],
});

const messagesRoute = apiRoute({
  method: 'get',
  path: '/api/sip/calls/{sipCall}/messages',
  operationId: 'readCallMessages',
  tags,
  summary: 'Read the SIP messages of a call',
  description:
    'The last calls only, as `sip.ladder` says, and not where a drachtio-server of your own is used. Credentials, keys of encryption and digits are taken out.',
  access: { scope: 'rooms:write' },
  request: { params: callParams },
  responses: { 200: jsonBody(callMessagesSchema, 'In the order in which they came and went.') },
  errors: ['not_found'],
});

export function callRoutes({ rooms, sip }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { limit, after, room, ...filter } = c.req.valid('query');
    const roomId = room === undefined ? undefined : await roomIdOf(rooms, room);
    const found: CallInfo[] = [];
    for await (const info of newestFirst(sip, after)) {
      if (!isWanted(info, { ...filter, roomId })) continue;
      if (found.push(info) > limit) break;
    }
    return c.json(nextPage(found.map(callView), limit), 200);
  });

  app.openapi(readRoute, async (c) => c.json(callView(await find(sip, c.req.valid('param').sipCall)), 200));

  app.openapi(deleteRoute, async (c) => {
    const id = c.req.valid('param').sipCall;
    const live = [...sip.live].find(({ info }) => info.id === id);
    if (!live) {
      await find(sip, id);
      throw new GatewayError('closed', 'The call has ended.');
    }
    await live.hangUp();
    return c.body(null, 204);
  });

  app.openapi(messagesRoute, async (c) => {
    const kept = sip.messagesOf(await find(sip, c.req.valid('param').sipCall));
    if (!kept) throw new GatewayError('not_found', 'The messages of this call are not kept, or no longer.');
    const messages = kept.messages.map(({ atMs, ...rest }) => ({ at: timeText(atMs), ...rest }));
    return c.json({ droppedCount: kept.droppedCount, messages }, 200);
  });

  return app;
}

/** Ids grow with age: live calls and records are two lists in one order. */
async function* newestFirst({ live, records }: ApiSip, after = ''): AsyncIterable<CallInfo> {
  const on = [...live].map(({ info }) => info).filter(({ id }) => id > after);
  on.sort((a, b) => (a.id < b.id ? -1 : 1));
  const seen = new Set(on.map(({ id }) => id));
  for await (const record of records.list(after)) {
    for (let next = on[0]; next && next.id < record.id; next = on[0]) yield on.shift() ?? next;
    if (!seen.has(record.id)) yield record;
  }
  yield* on;
}

async function find({ live, records }: ApiSip, id: string): Promise<CallInfo> {
  const found = [...live].find(({ info }) => info.id === id)?.info ?? (await records.find(id));
  if (!found) throw new GatewayError('not_found', 'There is no such call, or no record of it any more.');
  return found;
}

type Filter = Omit<z.output<typeof callListQuery>, 'limit' | 'after' | 'room'> & { roomId: string | undefined };

function isWanted(info: CallInfo, { roomId, state, direction, search }: Filter): boolean {
  if (roomId !== undefined && info.roomId !== roomId) return false;
  if (direction !== undefined && info.direction !== direction) return false;
  if (state !== undefined && (info.state === 'ended') !== (state === 'ended')) return false;
  if (search === undefined) return true;
  const wanted = search.toLowerCase();
  return [info.from, info.to, info.displayName].some((text) => text.toLowerCase().includes(wanted));
}
