// Owns: /api/rooms, the rooms there are. May import: core, ./.. of the API.

import type { OpenAPIHono, z } from '@hono/zod-openapi';
import { defaultRoles } from '#core/grants.ts';
import type { RoomRecord } from '#core/room.ts';
import { assertRoomMedia, usualMedia } from '#core/room-media.ts';
import { assertMayKeep, settleViews } from '#core/room-views.ts';
import type { RoomEntry, RoomPatch } from '#core/rooms.ts';
import { usualView } from '#core/view-settings.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  metadataSchema,
  type RoomResource,
  roomInput,
  roomList,
  roomMediaShape,
  roomParams,
  roomPatch,
  roomQuery,
  roomSchema,
} from '../contract.ts';
import { mergePatch } from '../merge-patch.ts';
import { PageKeeper } from '../page-keeper.ts';
import { patched } from '../patched.ts';
import { etagOf, ifMatchHeaders, ifNoneMatchHeaders, isNotModified, matchedRevision } from '../preconditions.ts';
import { invalidFields } from '../problem.ts';
import { changedMeeting } from '../room-meeting.ts';
import { changedSip } from '../room-sip.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { nextPage, roomView } from '../views.ts';

const tags = ['Rooms'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms',
  operationId: 'listRooms',
  tags,
  summary: 'List rooms',
  access: { scope: 'rooms:read' },
  request: { query: roomQuery },
  responses: { 200: jsonBody(roomList, 'A page of rooms, in order of id.') },
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms',
  operationId: 'createRoom',
  makes: 'rooms',
  tags,
  summary: 'Create a room',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(roomInput) },
  responses: { 201: jsonBody(roomSchema, 'The room, with Location and ETag.') },
  errors: ['conflict', 'draining'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}',
  operationId: 'readRoom',
  tags,
  summary: 'Read a room',
  access: { scope: 'rooms:read' },
  request: { params: roomParams, headers: ifNoneMatchHeaders },
  responses: {
    200: jsonBody(roomSchema, 'The room, with ETag.'),
    304: { description: 'It is as If-None-Match says. Only its settings count, not who is in it.' },
  },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}',
  operationId: 'patchRoom',
  tags,
  summary: 'Change a room',
  description: 'Holds at once, also for a room in use; nobody is thrown out by a lower limit.',
  access: { scope: 'rooms:write' },
  request: {
    params: roomParams,
    headers: ifMatchHeaders,
    body: mergePatchInput(roomPatch),
  },
  responses: { 200: jsonBody(roomSchema, 'The room as it is now, with ETag.') },
  errors: ['not_found', 'conflict', 'precondition_failed'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}',
  operationId: 'deleteRoom',
  tags,
  summary: 'Delete a room',
  description: 'Ends it for everybody who is in it.',
  access: { scope: 'rooms:write' },
  request: { params: roomParams, headers: ifMatchHeaders },
  responses: { 204: { description: 'Gone.' } },
  errors: ['not_found', 'precondition_failed'],
});

interface RoomPage {
  readonly items: RoomResource[];
  readonly next: string | null;
}

export function roomRoutes({ rooms, config, sip: { pins } }: ApiOptions): OpenAPIHono<ApiEnv> {
  const view = (entry: RoomEntry) => roomView(entry, rooms.live(entry.record.id));
  const pages = new PageKeeper<RoomPage>(() => rooms.stamp);
  const app = newRouter();

  async function listPage({ limit, after, name, isActive, owner }: z.output<typeof roomQuery>): Promise<RoomPage> {
    const part = name?.toLowerCase();
    const isWanted = (room: RoomResource) =>
      (part === undefined || `${room.name}\n${room.displayName}`.toLowerCase().includes(part)) &&
      (isActive === undefined || String(room.isActive) === isActive) &&
      (owner === undefined || room.meeting.owner === owner);
    const found: RoomResource[] = [];
    for await (const entry of rooms.all(after)) {
      const room = view(entry);
      if (isWanted(room)) found.push(room);
      if (found.length > limit) break;
    }
    return nextPage(found, limit);
  }

  app.openapi(listRoute, async (c) => {
    const query = c.req.valid('query');
    return c.json(await pages.page(query, () => listPage(query)), 200);
  });

  app.openapi(createRoute, async (c) => {
    const { sip, views, meeting, ...input } = c.req.valid('json');
    assertRoomMedia(input);
    const entry = await rooms.create({
      ...input,
      ...(views && { views: settleViews(views, input) }),
      ...(meeting && { meeting: changedMeeting(undefined, meeting) }),
      ...(sip && { sip: changedSip(undefined, sip, pins) }),
    });
    c.header('location', `/api/rooms/${entry.record.id}`);
    c.header('etag', etagOf(entry.revision));
    return c.json(view(entry), 201);
  });

  app.openapi(readRoute, async (c) => {
    const entry = await rooms.get(c.req.valid('param').room);
    c.header('etag', etagOf(entry.revision));
    return isNotModified(c, entry.revision) ? c.body(null, 304) : c.json(view(entry), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const before = await rooms.get(c.req.valid('param').room);
    const expected = matchedRevision(c, before.revision);
    const entry = await rooms.update(before.record.id, change(before, c.req.valid('json')), expected);
    c.header('etag', etagOf(entry.revision));
    return c.json(view(entry), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { record, revision } = await rooms.get(c.req.valid('param').room);
    matchedRevision(c, revision);
    await rooms.delete(record.id);
    return c.body(null, 204);
  });

  /** What the patch comes to: null stands for the default, objects merge by key. */
  function change({ record }: RoomEntry, patch: z.output<typeof roomPatch>): RoomPatch {
    const { maxParticipants, inputLimit, lastN, emptyTimeoutMs } = config.rooms;
    const limits = { maxParticipants, inputLimit, lastN, emptyTimeoutMs };
    const announced = { announcesAudience: true, announcesStreams: true };
    const defaults = { ...limits, ...announced, roles: defaultRoles, metadata: {}, ...usualMedia };
    const named = { ...defaults, displayName: patch.name ?? record.name };
    const { sip, views, meeting, ...rest } = patch;
    const merged = Object.entries(rest).map(([setting, value]) => {
      if (value === null) return [setting, named[setting as keyof typeof named]];
      if (setting === 'metadata') return [setting, mergedMetadata(record.metadata, value)];
      return [setting, isMediaRule(setting) ? mergedRule(setting, record, value) : value];
    });
    const door = sip === undefined ? {} : { sip: changedSip(record.sip, sip, pins) };
    const times = meeting === undefined ? {} : { meeting: changedMeeting(record.meeting, meeting) };
    const changed = { ...(Object.fromEntries(merged) as RoomPatch), ...door, ...times };
    return { ...changed, ...changedViews(record, changed, views) };
  }

  return app;
}

/** The views are looked at again where they, or what the room gives, are others. @throws GatewayError `invalid_request` */
function changedViews(
  record: RoomRecord,
  changed: RoomPatch,
  views: z.output<typeof roomPatch>['views'],
): Pick<RoomPatch, 'views'> {
  const next = { ...record, ...changed };
  assertRoomMedia(next);
  if (views) return { views: settleViews(views, next) };
  if (views === null) return { views: [usualView(next)] };
  if (changed.mediaOut) assertMayKeep(next);
  return {};
}

const mediaRules = ['mediaIn', 'mediaOut', 'transcoding'] as const;
type MediaRule = (typeof mediaRules)[number];
const isMediaRule = (setting: string): setting is MediaRule => mediaRules.some((rule) => rule === setting);

/** What it does not name stays, null takes one back. @throws GatewayError `invalid_request` */
function mergedRule(rule: MediaRule, record: RoomRecord, patch: unknown): object {
  const schema: z.ZodType<object> = roomMediaShape[rule];
  return patched(schema, record[rule] ?? usualMedia[rule], patch as object);
}

function mergedMetadata(metadata: Readonly<Record<string, string>>, patch: unknown): Record<string, string> {
  const parsed = metadataSchema.safeParse(mergePatch(metadata, patch));
  if (!parsed.success)
    throw invalidFields(
      'body',
      parsed.error.issues.map((i) => ({ ...i, path: ['metadata', ...i.path] })),
    );
  return parsed.data;
}
