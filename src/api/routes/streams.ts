// Owns: /api/rooms/{room}/streams, what is published in a room. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Publication } from '#core/track.ts';
import { placingInViews, viewsWith } from '#core/view-arrangement.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { roomParams, streamList, streamParams, streamPatch, streamQuery, streamSchema } from '../contract.ts';
import { findStream, liveRoom } from '../room-lookup.ts';
import { apiRoute, jsonBody, mergePatchInput, newRouter } from '../route.ts';
import { pageOf, streamView } from '../views.ts';

const tags = ['Streams'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/streams',
  operationId: 'listStreams',
  tags,
  summary: 'List what is published in a room',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: roomParams, query: streamQuery },
  responses: { 200: jsonBody(streamList, 'A page of streams; empty when nobody is there.') },
  errors: ['not_found'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/streams/{stream}',
  operationId: 'readStream',
  tags,
  summary: 'Read a stream',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: streamParams },
  responses: { 200: jsonBody(streamSchema, 'The stream.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/streams/{stream}',
  operationId: 'patchStream',
  tags,
  summary: 'Mute or unmute a stream, take it into views or out of them',
  description: 'A view has to run to be changed; where somebody stands in it is changed there.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: streamParams, body: mergePatchInput(streamPatch) },
  responses: { 200: jsonBody(streamSchema, 'The stream as it is now.') },
  errors: ['not_found', 'closed', 'media_lost', 'conflict', 'unprocessable'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/streams/{stream}',
  operationId: 'endStream',
  tags,
  summary: 'End a stream',
  description: 'Its participant stays, and may publish again.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: streamParams },
  responses: { 204: { description: 'Ended.' } },
  errors: ['not_found'],
});

export function streamRoutes({ rooms, views }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const resource = (stream: Publication) => ({ ...streamView(stream), inViews: viewsWith(views, stream) });

  app.openapi(listRoute, async (c) => {
    const room = await liveRoom(rooms, c.req.valid('param').room);
    const { kind, source, participant, ...query } = c.req.valid('query');
    const wanted = [...(room?.publications() ?? [])].filter(
      (stream) =>
        !stream.isClosed &&
        (kind === undefined || stream.kind === kind) &&
        (source === undefined || stream.source === source) &&
        (participant === undefined || stream.participant.id === participant),
    );
    const page = pageOf(wanted, query);
    return c.json({ ...page, items: page.items.map(resource) }, 200);
  });

  app.openapi(readRoute, async (c) => c.json(resource(await findStream(rooms, c.req.valid('param'))), 200));

  app.openapi(patchRoute, async (c) => {
    const publication = await findStream(rooms, c.req.valid('param'));
    const { isMuted, inViews } = c.req.valid('json');
    const place = inViews && placingInViews(views, publication, inViews);
    if (isMuted !== undefined) await publication.setMuted(isMuted, 'moderator');
    place?.();
    return c.json(resource(publication), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const publication = await findStream(rooms, c.req.valid('param'));
    await publication.close('kicked');
    return c.body(null, 204);
  });

  return app;
}
