// Owns: /api/rooms/{room}/sipcalls, the phones of a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Call } from '#core/call.ts';
import { GatewayError } from '#core/errors.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { callView } from '../call-view.ts';
import {
  roomParams,
  sipCallInput,
  sipCallList,
  sipCallMoveInput,
  sipCallParams,
  sipCallPatch,
  sipCallQuery,
  sipCallSchema,
  sipCallTransferInput,
  transferWait,
  waitQuery,
} from '../contract.ts';
import { creationStatus, longCreation } from '../long-creation.ts';
import { assertRecordable } from '../recording-settings.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { inState, pageOf } from '../views.ts';

const tags = ['SIP calls'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/sipcalls',
  operationId: 'listSipCalls',
  tags,
  summary: 'List the calls of a room',
  description: 'Those that are on, and the last ones that have ended.',
  access: { scope: 'rooms:read' },
  request: { params: roomParams, query: sipCallQuery },
  responses: { 200: jsonBody(sipCallList, 'A page of calls.') },
  errors: ['not_found'],
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/sipcalls',
  operationId: 'createSipCall',
  tags,
  summary: 'Call a phone into a room',
  description: 'A call that fails is `ended`, with what the other side answered in `end`.',
  access: { scope: 'rooms:write' },
  request: { params: roomParams, query: waitQuery, body: jsonInput(sipCallInput) },
  responses: longCreation(sipCallSchema),
  errors: ['not_found', 'unprocessable', 'overloaded', 'draining', 'signalling_lost', 'media_lost', 'closed'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/sipcalls/{sipCall}',
  operationId: 'readSipCall',
  tags,
  summary: 'Read a call',
  access: { scope: 'rooms:read' },
  request: { params: sipCallParams },
  responses: { 200: jsonBody(sipCallSchema, 'The call.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/sipcalls/{sipCall}',
  operationId: 'patchSipCall',
  tags,
  summary: 'Mute or hold a call, or press keys',
  access: { scope: 'rooms:write' },
  request: { params: sipCallParams, body: mergePatchInput(sipCallPatch) },
  responses: { 200: jsonBody(sipCallSchema, 'As it is now.') },
  errors: [
    'not_found',
    'closed',
    'unprocessable',
    'no_common_codec',
    'upstream_refused',
    'upstream_failed',
    'signalling_lost',
    'timeout',
  ],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/sipcalls/{sipCall}',
  operationId: 'deleteSipCall',
  tags,
  summary: 'Hang up',
  access: { scope: 'rooms:write' },
  request: { params: sipCallParams },
  responses: { 204: { description: 'It has ended.' } },
  errors: ['not_found'],
});

const transferRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/sipcalls/{sipCall}/transfer',
  operationId: 'transferSipCall',
  tags,
  summary: 'Hand a call on to somebody else',
  description:
    'The phone is asked to call there itself (REFER), and leaves the room once it does. How that goes is in `transfer`; a phone that is refused there stays in the room.',
  access: { scope: 'rooms:write' },
  request: { params: sipCallParams, query: transferWait, body: jsonInput(sipCallTransferInput) },
  responses: {
    200: jsonBody(sipCallSchema, 'It is known what came of it.'),
    202: jsonBody(sipCallSchema, 'It is under way: read the call again, or ask with `?wait=`.'),
  },
  errors: ['not_found', 'closed', 'conflict', 'unprocessable'],
});

const moveRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/sipcalls/{sipCall}/move',
  operationId: 'moveSipCall',
  tags,
  summary: 'Move a call to another room',
  description: 'The phone notices nothing but who it hears. A parked call is fetched by this, into any room.',
  access: { scope: 'rooms:write' },
  request: { params: sipCallParams, body: jsonInput(sipCallMoveInput) },
  responses: { 200: jsonBody(sipCallSchema, 'It is there.') },
  errors: [
    'not_found',
    'closed',
    'conflict',
    'room_full',
    'forbidden',
    'meeting_over',
    'overloaded',
    'draining',
    'media_lost',
  ],
});

const parkRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/sipcalls/{sipCall}/park',
  operationId: 'parkSipCall',
  tags,
  summary: 'Park a call',
  description:
    'It leaves the room and hears music until it is fetched: by moving it, or by a phone that dials `parked.slot`. After `sip.parking.timeoutMs` it goes back to its room.',
  access: { scope: 'rooms:write' },
  request: { params: sipCallParams },
  responses: { 200: jsonBody(sipCallSchema, 'It waits.') },
  errors: ['not_found', 'closed', 'conflict', 'limit_reached', 'overloaded', 'draining', 'media_lost'],
});

export function sipCallRoutes({ rooms, sip: calls, config }: ApiOptions): OpenAPIHono<ApiEnv> {
  const callsOf = async (room: string) => calls.callsOf((await rooms.get(room)).record.id);
  const find = async ({ room, sipCall }: { room: string; sipCall: string }): Promise<Call> => {
    const found = (await callsOf(room)).find(({ info }) => info.id === sipCall);
    if (!found) throw new GatewayError('not_found', 'There is no such call in this room.');
    return found;
  };
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { state, ...query } = c.req.valid('query');
    const all = (await callsOf(c.req.valid('param').room)).map(view);
    return c.json(pageOf(inState(all, state), query), 200);
  });

  app.openapi(createRoute, async (c) => {
    const { room } = c.req.valid('param');
    const input = c.req.valid('json');
    assertRecordable(input.record, config.recordings);
    const call = await calls.dial({ ...input, room });
    c.get('log').info({ call: call.info.id }, 'call made');
    await call.settled(c.req.valid('query').wait * 1_000);
    const { id, roomId } = call.info;
    c.header('location', `/api/rooms/${roomId}/sipcalls/${id}`);
    const isSettled = ['connected', 'ended'].includes(call.info.state);
    return c.json(view(call), creationStatus(isSettled));
  });

  app.openapi(readRoute, async (c) => c.json(view(await find(c.req.valid('param'))), 200));

  app.openapi(patchRoute, async (c) => {
    const call = await find(c.req.valid('param'));
    const { isMuted, isVideoMuted, video, isHeld, gainDb, dtmf } = c.req.valid('json');
    if (isMuted !== undefined) call.setMuted(isMuted);
    if (video !== undefined) await call.setVideo(video);
    if (isVideoMuted !== undefined) call.setVideoMuted(isVideoMuted);
    if (gainDb !== undefined) call.setGain(gainDb);
    if (isHeld !== undefined) await call.setHeld(isHeld);
    if (dtmf !== undefined) await call.sendDtmf(dtmf);
    return c.json(view(call), 200);
  });

  app.openapi(transferRoute, async (c) => {
    const call = await find(c.req.valid('param'));
    await calls.transfer(call, c.req.valid('json'), c.req.valid('query').wait * 1_000);
    const isUnderWay = ['trying', 'ringing'].includes(call.info.transfer?.state ?? '');
    return c.json(view(call), isUnderWay ? 202 : 200);
  });

  app.openapi(moveRoute, async (c) => {
    const call = await find(c.req.valid('param'));
    await calls.move(call, c.req.valid('json').room);
    return c.json(view(call), 200);
  });

  app.openapi(parkRoute, async (c) => {
    const call = await find(c.req.valid('param'));
    await calls.park(call);
    return c.json(view(call), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    await (await find(c.req.valid('param'))).hangUp();
    return c.body(null, 204);
  });

  return app;
}

const view = ({ info }: Call) => callView(info);
