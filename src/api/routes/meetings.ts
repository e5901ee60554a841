// Owns: /api/meetings and rooms as meetings: their doors, who waits outside, guests with a PIN. May import: core, ./.. of
// the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import { randomText } from '#core/ids.ts';
import type { RoomRecord } from '#core/room.ts';
import { guestRoleIn, isOver } from '#core/room-meeting.ts';
import { newPin } from '#core/room-pins.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  admittedSchema,
  doorPatch,
  guestTokenInput,
  guestTokenSchema,
  instantMeetingInput,
  instantMeetingSchema,
  type MeetingResource,
  meetingSchema,
  pageQuery,
  roomParams,
  waitingList,
  waitingParams,
} from '../contract.ts';
import { changedMeeting, meetingSettings, waitingView } from '../room-meeting.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { pageInOrder, timeText } from '../views.ts';

const tags = ['Meetings'];
const moderators = { scope: 'rooms:write', participants: 'moderate' } as const;
/** Of one name in about 10^17. */
const nameLength = 10;
const tokenIdLength = 16;
/** A break for lunch does not end an instant meeting. */
const instantEmptyTimeoutMs = 3_600_000;

const instantRoute = apiRoute({
  method: 'post',
  path: '/api/meetings',
  operationId: 'createInstantMeeting',
  makes: 'rooms',
  tags,
  summary: 'Start a meeting now',
  description: 'A room of its own with links for host and guests; forgotten an hour after the last one left.',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(instantMeetingInput) },
  responses: { 201: jsonBody(instantMeetingSchema, 'The links.') },
  errors: ['draining'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/meeting',
  operationId: 'readMeeting',
  tags,
  summary: 'Read how a room stands as a meeting',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: roomParams },
  responses: { 200: jsonBody(meetingSchema, 'Its times and doors, and how many wait.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/meeting',
  operationId: 'patchMeeting',
  tags,
  summary: 'Lock a meeting, open or close its waiting room, move its end',
  description: 'Everything else of a meeting is a setting of its room.',
  access: moderators,
  request: { params: roomParams, body: mergePatchInput(doorPatch) },
  responses: { 200: jsonBody(meetingSchema, 'As it is now.') },
  errors: ['not_found', 'conflict'],
});

const waitingRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/waiting',
  operationId: 'listWaiting',
  tags,
  summary: 'List who waits to be let in',
  access: moderators,
  request: { params: roomParams, query: pageQuery },
  responses: { 200: jsonBody(waitingList, 'Next one first.') },
  errors: ['not_found'],
});

const admitRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/waiting/{waiting}/admit',
  operationId: 'admit',
  tags,
  summary: 'Let somebody in',
  access: moderators,
  request: { params: waitingParams },
  responses: { 204: { description: 'It comes in.' } },
  errors: ['not_found'],
});

const admitAllRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/waiting/admit',
  operationId: 'admitAll',
  tags,
  summary: 'Let everybody in who waits for a moderator to say so',
  access: moderators,
  request: { params: roomParams },
  responses: { 200: jsonBody(admittedSchema, 'How many came in.') },
  errors: ['not_found'],
});

const denyRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/waiting/{waiting}',
  operationId: 'deny',
  tags,
  summary: 'Send somebody away who waits',
  access: moderators,
  request: { params: waitingParams },
  responses: { 204: { description: 'It is told, and gone.' } },
  errors: ['not_found'],
});

const guestRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/guest-tokens',
  operationId: 'createGuestToken',
  makes: 'tokens',
  tags,
  summary: 'Get a join token for the PIN of a room',
  description:
    'Where `meeting.hasGuests` is set. A wrong PIN, a room without guests and one that is not there have one answer; ' +
    'wrong ones count with those typed on phones, and soon have to wait.',
  access: { to: 'everybody' },
  request: { params: roomParams, body: jsonInput(guestTokenInput) },
  responses: { 201: jsonBody(guestTokenSchema, 'The token.') },
  errors: ['unauthorized'],
});

export function meetingRoutes({ rooms, meetings, auth, sip, config }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(instantRoute, async (c) => {
    const { displayName, host = 'host', meeting = {} } = c.req.valid('json');
    const pin = newPin();
    const { record } = await rooms.create({
      name: randomText(nameLength).toLowerCase(),
      displayName: displayName ?? 'Meeting',
      emptyTimeoutMs: instantEmptyTimeoutMs,
      meeting: changedMeeting({ hasGuests: true, isTemporary: true }, meeting),
      sip: { sealedPin: sip.pins.seal(pin) },
    });
    const expiresAtMs = Date.now() + config.auth.tokenTtlMs;
    const origin = config.http.publicUrl ?? c.get('origin');
    const link = async (user: string, displayName: string, role: string) => {
      const url = new URL(`/r/${record.name}`, origin);
      url.hash = `token=${await tokenFor(record, { user, displayName, role, expiresAtMs })}`;
      return url.href;
    };
    const moderating = record.roles.find(({ moderate }) => moderate)?.role ?? guestRoleIn(record);
    c.header('cache-control', 'no-store');
    c.header('location', `/api/rooms/${record.id}`);
    return c.json(
      {
        room: { id: record.id, name: record.name },
        url: await link('guest', 'Guest', guestRoleIn(record)),
        hostUrl: await link(host, host, moderating),
        pin,
        addresses: sip.addressesOf(record, new URL(origin).hostname.replaceAll(/[[\]]/g, '')),
        expiresAt: timeText(expiresAtMs),
      },
      201,
    );
  });

  app.openapi(readRoute, async (c) => {
    return c.json(meetingView((await rooms.get(c.req.valid('param').room)).record), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { record, revision } = await rooms.get(c.req.valid('param').room);
    const meeting = changedMeeting(record.meeting, c.req.valid('json'), []);
    const updated = await rooms.update(record.id, { meeting }, revision);
    return c.json(meetingView(updated.record), 200);
  });

  app.openapi(waitingRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    const { items, next } = pageInOrder(meetings.waitingIn(record.id), c.req.valid('query'));
    return c.json({ items: items.map(waitingView), next }, 200);
  });

  app.openapi(admitRoute, async (c) => {
    const { room, waiting } = c.req.valid('param');
    meetings.admit((await rooms.get(room)).record.id, waiting);
    return c.body(null, 204);
  });

  app.openapi(admitAllRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    return c.json({ admittedCount: meetings.admitAll(record.id) }, 200);
  });

  app.openapi(denyRoute, async (c) => {
    const { room, waiting } = c.req.valid('param');
    meetings.deny((await rooms.get(room)).record.id, waiting);
    return c.body(null, 204);
  });

  app.openapi(guestRoute, async (c) => {
    const { pin: typed, name } = c.req.valid('json');
    const address = c.get('address');
    const found = (await rooms.find(c.req.valid('param').room))?.record;
    const pin = found?.meeting?.hasGuests ? sip.pins.of(found.sip) : undefined;
    // Who names rooms that are not there is counted too: it is guessing as well.
    const id = found?.id ?? nobodysRoom;
    sip.door.assertMayGuess(id, address);
    if (!sip.door.guess(typed, { room: { id }, pin: pin ?? randomText(32) }, address) || !found) {
      throw new GatewayError('unauthorized', 'That is not the PIN of this meeting, or it takes no guests.');
    }
    const expiresAtMs = Date.now() + config.auth.tokenTtlMs;
    const user = `guest-${randomText(8)}`;
    const token = await tokenFor(found, { user, displayName: name, role: guestRoleIn(found), expiresAtMs });
    c.header('cache-control', 'no-store');
    return c.json({ token, room: found.name, expiresAt: timeText(expiresAtMs) }, 201);
  });

  function tokenFor(
    { id }: RoomRecord,
    grant: { user: string; displayName: string; role: string; expiresAtMs: number },
  ): Promise<string> {
    return auth.createJoinToken({ ...grant, tokenId: randomText(tokenIdLength), room: id, attributes: {} });
  }

  function meetingView(record: RoomRecord): MeetingResource {
    const { id, meeting = {} } = record;
    const waitingCount = meetings.waitingIn(id).length;
    return { ...meetingSettings(meeting), state: stateOf(record), waitingCount };
  }

  function stateOf(record: RoomRecord): MeetingResource['state'] {
    const { meeting = {} } = record;
    if (isOver(meeting, Date.now())) return 'over';
    const reason = meetings.waitReason(record);
    return reason === 'not_started' ? 'scheduled' : reason === 'no_moderator' ? 'waiting' : 'open';
  }

  return app;
}

/** Stands for all rooms that are not there. */
const nobodysRoom = 'RM_none' as RoomRecord['id'];
