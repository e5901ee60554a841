// Owns: /api/rooms/{room}/streaming-outs, streams that leave a room. May import: core, ./.. of the API.
import type { OpenAPIHono, z } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import { maskedPushUrl } from '#core/masked-url.ts';
import {
  type StreamingOut,
  type StreamingOutSegments,
  type StreamingOutVideo,
  usualSegments,
} from '#core/streaming-out.ts';
import type { StreamingOutChange } from '#core/streaming-outs.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  roomParams,
  streamingOutInput,
  streamingOutList,
  streamingOutParams,
  streamingOutPatch,
  streamingOutQuery,
  streamingOutSchema,
  waitQuery,
} from '../contract.ts';
import { creationStatus, longCreation } from '../long-creation.ts';
import { sourceOf } from '../media-source-view.ts';
import { mergePatch } from '../merge-patch.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { streamingOutView } from '../streaming-out-view.ts';
import { inState, pageOf } from '../views.ts';

const tags = ['Streaming-outs'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/streaming-outs',
  operationId: 'listStreamingOuts',
  tags,
  summary: 'List what leaves a room',
  access: { scope: 'rooms:read' },
  request: { params: roomParams, query: streamingOutQuery },
  responses: { 200: jsonBody(streamingOutList, 'A page of streaming-outs.') },
  errors: ['not_found'],
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/streaming-outs',
  operationId: 'createStreamingOut',
  tags,
  summary: 'Push a room to services',
  description:
    'A view of the room, a participant, a stream or the sound alone goes to one or several targets, which share one encode. A target that is lost is connected to again without end, also after a restart of the gateway.',
  access: { scope: 'rooms:write' },
  request: { params: roomParams, query: waitQuery, body: jsonInput(streamingOutInput) },
  responses: longCreation(streamingOutSchema),
  errors: ['not_found', 'unprocessable', 'limit_reached', 'draining'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/streaming-outs/{streamingOut}',
  operationId: 'readStreamingOut',
  tags,
  summary: 'Read what leaves a room',
  access: { scope: 'rooms:read' },
  request: { params: streamingOutParams },
  responses: { 200: jsonBody(streamingOutSchema, 'The streaming-out.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/streaming-outs/{streamingOut}',
  operationId: 'patchStreamingOut',
  tags,
  summary: 'Change what leaves a room',
  description: 'Live: another source, more or fewer targets, a pause. Targets that stay see no interruption.',
  access: { scope: 'rooms:write' },
  request: { params: streamingOutParams, query: waitQuery, body: mergePatchInput(streamingOutPatch) },
  responses: { 200: jsonBody(streamingOutSchema, 'As it is now.') },
  errors: ['not_found', 'unprocessable', 'limit_reached'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/streaming-outs/{streamingOut}',
  operationId: 'deleteStreamingOut',
  tags,
  summary: 'Push it no longer',
  access: { scope: 'rooms:write' },
  request: { params: streamingOutParams },
  responses: { 204: { description: 'Its targets were told that it has ended.' } },
  errors: ['not_found'],
});

export function streamingOutRoutes({ rooms, streamingOuts }: ApiOptions): OpenAPIHono<ApiEnv> {
  const roomIdOf = async (room: string) => (await rooms.get(room)).record.id;
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { state, ...query } = c.req.valid('query');
    const all = streamingOuts.of(await roomIdOf(c.req.valid('param').room)).map(streamingOutView);
    return c.json(pageOf(inState(all, state), query), 200);
  });

  app.openapi(createRoute, async (c) => {
    const { url, urls, name, source, media, video, ...rest } = c.req.valid('json');
    const targets = [...(url === undefined ? [] : [url]), ...(urls ?? [])];
    const [first] = targets;
    if (first === undefined || (url !== undefined && urls !== undefined)) {
      throw new GatewayError('invalid_request', 'Give `url` for one target, or `urls` for several.');
    }
    const made = await streamingOuts.create(
      await roomIdOf(c.req.valid('param').room),
      {
        ...rest,
        name: name ?? nameFrom(first),
        source: sourceOf(source),
        ...{ hasAudio: media.audio, hasVideo: media.video },
        video,
      },
      targets,
    );
    c.get('log').info({ streamingOut: made.record.id, urls: targets.map(maskedPushUrl) }, 'streaming-out made');
    await made.settled(c.req.valid('query').wait * 1_000);
    c.header('location', `/api/rooms/${made.record.roomId}/streaming-outs/${made.record.id}`);
    return c.json(streamingOutView(made), creationStatus(made.isSettled));
  });

  app.openapi(readRoute, async (c) => {
    const { room, streamingOut } = c.req.valid('param');
    return c.json(streamingOutView(streamingOuts.get(await roomIdOf(room), streamingOut)), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { room, streamingOut } = c.req.valid('param');
    const roomId = await roomIdOf(room);
    const change = changeOf(c.req.valid('json'), streamingOuts.get(roomId, streamingOut));
    const changed = await streamingOuts.update(roomId, streamingOut, change);
    await changed.settled(c.req.valid('query').wait * 1_000);
    return c.json(streamingOutView(changed), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { room, streamingOut } = c.req.valid('param');
    await streamingOuts.delete(await roomIdOf(room), streamingOut);
    c.get('log').info({ streamingOut }, 'streaming-out deleted');
    return c.body(null, 204);
  });

  return app;
}

function changeOf(patch: z.output<typeof streamingOutPatch>, { record }: StreamingOut): StreamingOutChange {
  const { source, media, video, segments, ...rest } = patch;
  const change = {
    ...rest,
    source: source && sourceOf(source),
    hasAudio: media?.audio,
    hasVideo: media?.video,
    video: video && (mergePatch(record.video, video) as StreamingOutVideo),
    segments: segments && ({ ...(record.segments ?? usualSegments), ...segments } as StreamingOutSegments),
  };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

/** The host, which is what a service is known by. */
function nameFrom(url: string): string {
  const [, host = 'Stream'] = /^[^:]+:\/\/(?:[^/]*@)?(\[[^\]]*\]|[^/:?#]+)/.exec(url) ?? [];
  return host.slice(0, 128);
}
