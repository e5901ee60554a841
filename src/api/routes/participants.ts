// Owns: /api/rooms/{room}/participants, who is in a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  avatarInput,
  participantList,
  participantParams,
  participantPatch,
  participantQuery,
  participantSchema,
  removalQuery,
  roomParams,
} from '../contract.ts';
import { invalidFields } from '../problem.ts';
import { findParticipant, liveRoom } from '../room-lookup.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { pageOf, participantView } from '../views.ts';

const tags = ['Participants'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/participants',
  operationId: 'listParticipants',
  tags,
  summary: 'List who is in a room',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: roomParams, query: participantQuery },
  responses: { 200: jsonBody(participantList, 'A page of participants; empty when nobody is there.') },
  errors: ['not_found'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/participants/{participant}',
  operationId: 'readParticipant',
  tags,
  summary: 'Read a participant',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: participantParams },
  responses: { 200: jsonBody(participantSchema, 'The participant.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/participants/{participant}',
  operationId: 'patchParticipant',
  tags,
  summary: 'Change a participant',
  description: 'Its name, role, permissions or raised hand, and moderator’s mutes of what it publishes now.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: participantParams, body: mergePatchInput(participantPatch) },
  responses: { 200: jsonBody(participantSchema, 'The participant as it is now.') },
  errors: ['not_found', 'closed', 'media_lost'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/participants/{participant}',
  operationId: 'removeParticipant',
  tags,
  summary: 'Remove a participant',
  description: 'The token that it joined with is revoked, unless it may return.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: participantParams, query: removalQuery },
  responses: { 204: { description: 'Removed.' } },
  errors: ['not_found'],
});

const readAvatarRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/participants/{participant}/avatar',
  operationId: 'readAvatar',
  tags,
  summary: 'Show a participant’s avatar',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: participantParams },
  responses: { 200: { description: 'A PNG or JPEG.', content: { 'image/png': {}, 'image/jpeg': {} } } },
  errors: ['not_found'],
});

const putAvatarRoute = apiRoute({
  method: 'put',
  path: '/api/rooms/{room}/participants/{participant}/avatar',
  operationId: 'putAvatar',
  tags,
  summary: 'Give a participant an avatar',
  description:
    'Shown in views and on the meeting page while there is no video of it, as long as it is in the room. Given as `image`, ' +
    'or, with an API key, by the `url` of one, which is fetched now.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: participantParams, body: jsonInput(avatarInput) },
  responses: { 200: jsonBody(participantSchema, 'The participant with its avatar.') },
  errors: [
    ...(['not_found', 'closed', 'too_large', 'upstream_failed'] as const),
    ...(['upstream_refused', 'timeout', 'overloaded'] as const),
  ],
});

const deleteAvatarRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/participants/{participant}/avatar',
  operationId: 'deleteAvatar',
  tags,
  summary: 'Take a participant’s avatar away',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: participantParams },
  responses: { 204: { description: 'It is shown by its initials.' } },
  errors: ['not_found', 'closed'],
});

export function participantRoutes({ rooms, avatars }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const room = await liveRoom(rooms, c.req.valid('param').room);
    const { kind, role, user, ...query } = c.req.valid('query');
    const wanted = (room?.visibleParticipants ?? []).filter(
      (participant) =>
        (kind === undefined || participant.kind === kind) &&
        (role === undefined || participant.role === role) &&
        (user === undefined || participant.user === user),
    );
    const page = pageOf(wanted, query);
    return c.json({ ...page, items: page.items.map(participantView) }, 200);
  });

  app.openapi(readRoute, async (c) => {
    return c.json(participantView(await findParticipant(rooms, c.req.valid('param'))), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { isMuted, permissions, ...change } = c.req.valid('json');
    const participant = await findParticipant(rooms, c.req.valid('param'));
    const { roles } = participant.room.record;
    if (change.role !== undefined && !roles.some(({ role }) => role === change.role)) {
      const message = `is none of this room; it has ${roles.map(({ role }) => role).join(', ')}`;
      throw invalidFields('body', [{ path: ['role'], message }]);
    }
    if (Object.values(change).some((value) => value !== undefined)) participant.update(change);
    if (permissions) participant.setPermissions(permissions);
    for (const publication of [...participant.publications.values()]) {
      const isKindMuted = isMuted?.[publication.kind];
      // One that ended by the change above, or in the meantime, has nothing to mute.
      if (isKindMuted !== undefined && !publication.isClosed) await publication.setMuted(isKindMuted, 'moderator');
    }
    return c.json(participantView(participant), 200);
  });

  app.openapi(readAvatarRoute, async (c) => {
    const { avatar } = await findParticipant(rooms, c.req.valid('param'));
    if (!avatar) throw new GatewayError('not_found', 'That participant has no avatar.');
    const headers = { 'content-type': avatar.mimeType, 'cache-control': 'private, no-cache' };
    return new Response(Uint8Array.from(avatar.data), { headers });
  });

  app.openapi(putAvatarRoute, async (c) => {
    const participant = await findParticipant(rooms, c.req.valid('param'));
    const { image = '', url } = c.req.valid('json');
    // The answer tells what is there and what is not: of our network that is for those who run it, not for a browser.
    if (url !== undefined && c.get('principal').kind === 'participant') {
      throw new GatewayError(
        'forbidden',
        'A URL is for API keys and administrators; moderators give the image itself.',
      );
    }
    participant.setAvatar(url === undefined ? Buffer.from(image, 'base64') : await avatars.fetch(url));
    return c.json(participantView(participant), 200);
  });

  app.openapi(deleteAvatarRoute, async (c) => {
    (await findParticipant(rooms, c.req.valid('param'))).setAvatar(undefined);
    return c.body(null, 204);
  });

  app.openapi(deleteRoute, async (c) => {
    const participant = await findParticipant(rooms, c.req.valid('param'));
    participant.mayReturn = c.req.valid('query').mayReturn === 'true';
    await participant.close('kicked');
    return c.body(null, 204);
  });

  return app;
}
