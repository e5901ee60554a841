// Owns: /api/stream-keys, the keys that encoders push with. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import type { StreamKeyRecord } from '#core/stream-keys.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  newStreamKeySchema,
  type StreamKeyResource,
  streamKeyInput,
  streamKeyList,
  streamKeyParams,
  streamKeyPatch,
  streamKeyQuery,
  streamKeySchema,
} from '../contract.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { nextPage, pageOf, timeText } from '../views.ts';

const tags = ['Stream keys'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/stream-keys',
  operationId: 'listStreamKeys',
  tags,
  summary: 'List stream keys',
  access: { scope: 'rooms:read' },
  request: { query: streamKeyQuery },
  responses: { 200: jsonBody(streamKeyList, 'A page of stream keys, without the keys themselves.') },
  errors: ['not_found'],
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/stream-keys',
  operationId: 'createStreamKey',
  tags,
  summary: 'Make a stream key',
  description: 'An encoder that pushes with it comes into the room as a participant of this name.',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(streamKeyInput) },
  responses: { 201: jsonBody(newStreamKeySchema, 'The key. It is shown this once and kept as a hash.') },
  errors: ['not_found', 'unprocessable'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/stream-keys/{streamKey}',
  operationId: 'readStreamKey',
  tags,
  summary: 'Read a stream key',
  access: { scope: 'rooms:read' },
  request: { params: streamKeyParams },
  responses: { 200: jsonBody(streamKeySchema, 'The stream key, without the key itself.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/stream-keys/{streamKey}',
  operationId: 'patchStreamKey',
  tags,
  summary: 'Change a stream key',
  description: 'Holds for the next publisher. Its room and protocol are for good: make another.',
  access: { scope: 'rooms:write' },
  request: { params: streamKeyParams, body: mergePatchInput(streamKeyPatch) },
  responses: { 200: jsonBody(streamKeySchema, 'As it is now.') },
  errors: ['not_found', 'conflict'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/stream-keys/{streamKey}',
  operationId: 'deleteStreamKey',
  tags,
  summary: 'Delete a stream key',
  description: 'Ends whoever publishes with it.',
  access: { scope: 'rooms:write' },
  request: { params: streamKeyParams },
  responses: { 204: { description: 'Deleted.' } },
  errors: ['not_found'],
});

export function streamKeyRoutes({ rooms, ingest, config }: ApiOptions): OpenAPIHono<ApiEnv> {
  const { streamKeys, pushes, pushAddressOf } = ingest;
  const app = newRouter();

  app.openapi(listRoute, async (c) => {
    const { room, ...query } = c.req.valid('query');
    if (room !== undefined) {
      const { id } = (await rooms.get(room)).record;
      const page = pageOf(await streamKeys.of(id), query);
      return c.json({ ...page, items: await Promise.all(page.items.map(view)) }, 200);
    }
    const found = await streamKeys.list({ ...query, limit: query.limit + 1 });
    return c.json(nextPage(await Promise.all(found.map(view)), query.limit), 200);
  });

  app.openapi(createRoute, async (c) => {
    const input = c.req.valid('json');
    const host = new URL(config.http.publicUrl ?? c.get('origin')).hostname;
    const address = pushAddressOf(input.protocol, host);
    if (!address) {
      throw new GatewayError('unprocessable', `This gateway takes no ${input.protocol} publishers.`);
    }
    const { key, record } = await streamKeys.create(input);
    c.get('log').info({ publisher: record.id, protocol: record.protocol }, 'stream key made');
    c.header('location', `/api/stream-keys/${record.id}`);
    c.header('cache-control', 'no-store');
    const { serverUrl } = address;
    const url = address.urlOf(key, record.passphrase);
    return c.json({ ...(await view(record)), key, url, serverUrl, passphrase: record.passphrase ?? null }, 201);
  });

  app.openapi(readRoute, async (c) => c.json(await view(await streamKeys.get(c.req.valid('param').streamKey)), 200));

  app.openapi(patchRoute, async (c) => {
    const { name, onConflict, latency } = c.req.valid('json');
    const change = {
      ...(name !== undefined && { name }),
      ...(onConflict !== undefined && { onConflict: onConflict ?? ('reject' as const) }),
      ...(latency !== undefined && { latency: latency ?? undefined }),
    };
    return c.json(await view(await streamKeys.update(c.req.valid('param').streamKey, change)), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { streamKey } = c.req.valid('param');
    await streamKeys.delete(streamKey);
    c.get('log').info({ publisher: streamKey }, 'stream key deleted');
    return c.body(null, 204);
  });

  async function view(record: StreamKeyRecord): Promise<StreamKeyResource> {
    const { id, roomId, protocol, name, onConflict, latency, createdAtMs } = record;
    const push = pushes.find(id);
    return {
      id,
      room: (await rooms.find(roomId))?.record.name ?? '',
      roomId,
      protocol,
      name,
      onConflict,
      latency: latency ?? null,
      isEncrypted: record.passphrase !== undefined,
      createdAt: timeText(createdAtMs),
      isLive: push?.isPublishing ?? false,
      participantId: push?.ingress.participant.id ?? null,
      jobId: push?.ingress.job?.id ?? null,
    };
  }

  return app;
}
