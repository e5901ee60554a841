// Owns: /api/rooms/{room}/streaming-ins, streams that are pulled into a room. May import: core, ./.. of the API.
import type { OpenAPIHono, z } from '@hono/zod-openapi';
import type { MediaWish } from '#core/job.ts';
import { maskedUrl } from '#core/masked-url.ts';
import type { StreamingIn, StreamingInSettings, StreamingInStatus } from '#core/streaming-in.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  roomParams,
  type StreamingInResource,
  streamingInInput,
  streamingInList,
  streamingInParams,
  streamingInPatch,
  streamingInQuery,
  streamingInSchema,
  waitQuery,
} from '../contract.ts';
import { creationStatus, longCreation } from '../long-creation.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { inState, jobView, pageOf, timeText } from '../views.ts';

const tags = ['Streaming-ins'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/streaming-ins',
  operationId: 'listStreamingIns',
  tags,
  summary: 'List what is pulled into a room',
  access: { scope: 'rooms:read' },
  request: { params: roomParams, query: streamingInQuery },
  responses: { 200: jsonBody(streamingInList, 'A page of streaming-ins.') },
  errors: ['not_found'],
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/streaming-ins',
  operationId: 'createStreamingIn',
  tags,
  summary: 'Pull a stream into a room',
  description:
    'A camera or server is connected to and comes into the room as a participant; it is connected to again whenever it is lost, also after a restart of the gateway.',
  access: { scope: 'rooms:write' },
  request: { params: roomParams, query: waitQuery, body: jsonInput(streamingInInput) },
  responses: longCreation(streamingInSchema),
  errors: ['not_found', 'unprocessable', 'limit_reached', 'overloaded', 'draining'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/streaming-ins/{streamingIn}',
  operationId: 'readStreamingIn',
  tags,
  summary: 'Read what is pulled into a room',
  access: { scope: 'rooms:read' },
  request: { params: streamingInParams },
  responses: { 200: jsonBody(streamingInSchema, 'The streaming-in.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/streaming-ins/{streamingIn}',
  operationId: 'patchStreamingIn',
  tags,
  summary: 'Change what is pulled into a room',
  access: { scope: 'rooms:write' },
  request: { params: streamingInParams, query: waitQuery, body: mergePatchInput(streamingInPatch) },
  responses: { 200: jsonBody(streamingInSchema, 'As it is now.') },
  errors: ['not_found', 'unprocessable'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/streaming-ins/{streamingIn}',
  operationId: 'deleteStreamingIn',
  tags,
  summary: 'Pull it no longer',
  access: { scope: 'rooms:write' },
  request: { params: streamingInParams },
  responses: { 204: { description: 'It has left the room.' } },
  errors: ['not_found'],
});

export function streamingInRoutes({ rooms, ingest }: ApiOptions): OpenAPIHono<ApiEnv> {
  const { streamingIns } = ingest;
  const roomIdOf = async (room: string) => (await rooms.get(room)).record.id;
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { state, ...query } = c.req.valid('query');
    const all = streamingIns.of(await roomIdOf(c.req.valid('param').room)).map(view);
    return c.json(pageOf(inState(all, state), query), 200);
  });

  app.openapi(createRoute, async (c) => {
    const { media, name, onDemand, loop, ...rest } = c.req.valid('json');
    const made = await streamingIns.create(await roomIdOf(c.req.valid('param').room), {
      ...rest,
      name: name ?? nameFrom(rest.url),
      audio: wishOf(media.audio),
      video: wishOf(media.video),
      isOnDemand: onDemand,
      isLooped: loop,
    });
    const { id, roomId, url } = made.record;
    c.get('log').info({ streamingIn: id, url: maskedUrl(url) }, 'streaming-in made');
    await made.settled(c.req.valid('query').wait * 1_000);
    c.header('location', `/api/rooms/${roomId}/streaming-ins/${id}`);
    return c.json(view(made), creationStatus(made.isSettled));
  });

  app.openapi(readRoute, async (c) => {
    const { room, streamingIn } = c.req.valid('param');
    return c.json(view(streamingIns.get(await roomIdOf(room), streamingIn)), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { room, streamingIn } = c.req.valid('param');
    const changed = await streamingIns.update(await roomIdOf(room), streamingIn, changeOf(c.req.valid('json')));
    await changed.settled(c.req.valid('query').wait * 1_000);
    return c.json(view(changed), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { room, streamingIn } = c.req.valid('param');
    await streamingIns.delete(await roomIdOf(room), streamingIn);
    c.get('log').info({ streamingIn }, 'streaming-in deleted');
    return c.body(null, 204);
  });

  return app;
}

const wishes = { auto: 'auto', true: 'required', false: 'off' } as const;
const wishOf = (wish: 'auto' | boolean): MediaWish => wishes[`${wish}`];
const shownWish = (wish: MediaWish): 'auto' | boolean => (wish === 'auto' ? 'auto' : wish === 'required');

function changeOf(patch: z.output<typeof streamingInPatch>): Partial<StreamingInSettings> {
  const { media, onDemand, loop, ...rest } = patch;
  const change = {
    ...rest,
    isOnDemand: onDemand,
    isLooped: loop,
    audio: media?.audio === undefined ? undefined : wishOf(media.audio),
    video: media?.video === undefined ? undefined : wishOf(media.video),
  };
  const named = Object.entries(change).filter(([, value]) => value !== undefined);
  // RFC 7396 §2: null takes it away.
  return Object.fromEntries(named.map(([key, value]) => [key, value ?? undefined]));
}

/** The host, which is what an operator knows a camera by; of a file its own name. */
function nameFrom(url: string): string {
  const [, file] = /^file:.*?([^/]+)$/i.exec(url) ?? [];
  if (file !== undefined) return file.slice(0, 128);
  const [, host = 'Stream'] = /^[^:]+:\/\/(?:[^/]*@)?(\[[^\]]*\]|[^/:?#]+)/.exec(url) ?? [];
  return host.slice(0, 128);
}

function view(one: StreamingIn): StreamingInResource {
  const { record, status, lastError, nextAttemptAtMs, ingress } = one;
  const { isOnDemand, isLooped, audio, video, createdAtMs, url, ...settings } = record;
  const job = ingress?.job && jobView(ingress.job.info);
  return {
    ...settings,
    url: maskedUrl(url),
    media: { audio: shownWish(audio), video: shownWish(video) },
    onDemand: isOnDemand,
    loop: isLooped ?? false,
    maxHeight: settings.maxHeight ?? null,
    maxBitrateBps: settings.maxBitrateBps ?? null,
    hardware: settings.hardware ?? null,
    latency: settings.latency ?? null,
    createdAt: timeText(createdAtMs),
    ...happening(status),
    since: timeText(status.atMs),
    nextAttemptAt: nextAttemptAtMs === undefined ? null : timeText(nextAttemptAtMs),
    lastError: lastError ? { ...happening(lastError), at: timeText(lastError.atMs) } : null,
    participantId: ingress?.participant.id ?? null,
    streams: [...(ingress?.participant.publications.keys() ?? [])],
    jobId: job?.id ?? null,
    restarts: job?.restarts ?? 0,
    verdicts: job?.verdicts ?? [],
    progress: job?.progress ?? null,
  };
}

const happening = ({ state, reason, message }: StreamingInStatus) => ({ state, reason, message });
