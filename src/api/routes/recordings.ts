// Owns: /api/rooms/{room}/recordings and …/recording/start|stop. May import: core, ./.. of the API.
import { basename } from 'node:path';
import type { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { GatewayError } from '#core/errors.ts';
import type { RoomId } from '#core/ids.ts';
import type { RecordFormat } from '#core/record-sink.ts';
import type { Recording } from '#core/recording.ts';
import { isRunning, type RecordingPart } from '#core/recording-record.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  downloadQuery,
  type RecordingResource,
  recordingInput,
  recordingList,
  recordingParams,
  recordingPartParams,
  recordingPatch,
  recordingQuery,
  recordingSchema,
  roomParams,
} from '../contract.ts';
import { fileResponse } from '../file-response.ts';
import { settingsFrom } from '../recording-settings.ts';
import { recordingView } from '../recording-view.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { inState, pageInOrder } from '../views.ts';

const tags = ['Recordings'];
const read = { scope: 'rooms:read' } as const;
const write = { scope: 'rooms:write', participants: 'moderate' } as const;

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/recordings',
  operationId: 'listRecordings',
  tags,
  summary: 'List the recordings of a room',
  description: 'The newest first; also of a room that has closed.',
  access: read,
  request: { params: roomParams, query: recordingQuery },
  responses: { 200: jsonBody(recordingList, 'A page of recordings.') },
  errors: ['not_found'],
});

const start = {
  tags,
  summary: 'Record a room',
  description:
    'Records until it is stopped, the room is closed, or nobody has been in it for a while. Everybody in the room is told.',
  access: write,
  responses: { 201: jsonBody(recordingSchema, 'It is being started; `state` says how far it is.') },
  errors: ['not_found', 'limit_reached', 'unprocessable', 'insufficient_storage', 'overloaded', 'draining'],
} as const;

const createRecordingRoute = apiRoute({
  ...start,
  errors: [...start.errors],
  method: 'post',
  path: '/api/rooms/{room}/recordings',
  operationId: 'createRecording',
  request: { params: roomParams, body: { ...jsonInput(recordingInput), required: false } },
});

const startRoute = apiRoute({
  ...start,
  errors: [...start.errors],
  method: 'post',
  path: '/api/rooms/{room}/recording/start',
  operationId: 'startRecording',
  request: { params: roomParams, body: { ...jsonInput(recordingInput), required: false } },
});

const stopAllRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/recording/stop',
  operationId: 'stopRecordings',
  tags,
  summary: 'End all recordings of a room',
  description: 'Answers at once; a recording is `finished` when its files are.',
  access: write,
  request: { params: roomParams },
  responses: { 200: jsonBody(recordingList, 'Those that were running.') },
  errors: ['not_found'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/recordings/{recording}',
  operationId: 'readRecording',
  tags,
  summary: 'Read a recording',
  access: read,
  request: { params: recordingParams },
  responses: { 200: jsonBody(recordingSchema, 'The recording.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/recordings/{recording}',
  operationId: 'patchRecording',
  tags,
  summary: 'Pause a recording, or go on with it',
  access: write,
  request: { params: recordingParams, body: mergePatchInput(recordingPatch) },
  responses: { 200: jsonBody(recordingSchema, 'As it is now.') },
  errors: ['not_found', 'conflict'],
});

const stopRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/recordings/{recording}/stop',
  operationId: 'stopRecording',
  tags,
  summary: 'End a recording',
  description: 'Answers at once; it is `finished` when its files are.',
  access: write,
  request: { params: recordingParams },
  responses: { 200: jsonBody(recordingSchema, 'As it is now.') },
  errors: ['not_found'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/recordings/{recording}',
  operationId: 'deleteRecording',
  tags,
  summary: 'Delete a recording and its files',
  description: 'One that runs is ended first. What was uploaded stays where it is.',
  access: { scope: 'rooms:write' },
  request: { params: recordingParams },
  responses: { 204: { description: 'It is gone.' } },
  errors: ['not_found'],
});

const fileAnswers = {
  200: { description: 'The file.', content: { 'application/octet-stream': {} } },
  206: { description: 'The bytes that `Range` asks for.' },
};

const downloadRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/recordings/{recording}/download',
  operationId: 'downloadRecording',
  tags,
  summary: 'Download a recording that has one part',
  access: read,
  request: { params: recordingParams, query: downloadQuery },
  responses: fileAnswers,
  errors: ['not_found', 'conflict', 'range_not_satisfiable'],
});

const downloadPartRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/recordings/{recording}/parts/{part}/download',
  operationId: 'downloadRecordingPart',
  tags,
  summary: 'Download a part of a recording',
  access: read,
  request: { params: recordingPartParams, query: downloadQuery },
  responses: fileAnswers,
  errors: ['not_found', 'range_not_satisfiable'],
});

const thumbnailRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/recordings/{recording}/parts/{part}/thumbnail',
  operationId: 'readRecordingThumbnail',
  tags,
  summary: 'Show a picture of a part of a recording',
  access: read,
  request: { params: recordingPartParams },
  responses: fileAnswers,
  errors: ['not_found', 'range_not_satisfiable'],
});

const contentTypes: Readonly<Record<RecordFormat, string>> = {
  mp4: 'video/mp4',
  mkv: 'video/x-matroska',
  webm: 'video/webm',
  m4a: 'audio/mp4',
  mka: 'audio/x-matroska',
  ogg: 'audio/ogg',
};

const noBody = {} as const;

export function recordingRoutes({ recordings, config }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const { files } = recordings;
  const find = async (room: string, id: string) => recordings.all.get(await recordings.all.roomIdOf(room), id);
  const begin = (room: string, input: z.output<typeof recordingInput> | undefined) =>
    recordings.all.start(room, settingsFrom(input ?? noBody, config.recordings));
  const running = (roomId: RoomId) => recordings.all.of(roomId).filter(({ record }) => isRunning(record.state));
  const send = (c: Context<ApiEnv>, recording: Recording, part: RecordingPart, inline: string) => {
    if (!part.isLocal) throw new GatewayError('not_found', `It is not here any more${whereTo(part)}.`);
    const contentType = contentTypes[recording.record.format];
    return fileResponse({
      ...{ path: files.pathOf(part.file), contentType, fileName: basename(part.file), isInline: inline === 'true' },
      ...{ request: c.req.raw, requestId: c.get('requestId') },
    });
  };

  app.openapi(listRoute, async (c) => {
    const { state, ...query } = c.req.valid('query');
    const all = recordings.all.of(await recordings.all.roomIdOf(c.req.valid('param').room)).map(view);
    return c.json(pageInOrder(inState(all, state), query), 200);
  });

  app.openapi(createRecordingRoute, async (c) => {
    const made = await begin(c.req.valid('param').room, c.req.valid('json'));
    c.header('location', locationOf(made));
    return c.json(view(made), 201);
  });

  app.openapi(startRoute, async (c) => {
    const made = await begin(c.req.valid('param').room, c.req.valid('json'));
    c.header('location', locationOf(made));
    return c.json(view(made), 201);
  });

  app.openapi(stopAllRoute, async (c) => {
    const stopped = running(await recordings.all.roomIdOf(c.req.valid('param').room));
    for (const recording of stopped) void recording.stop();
    return c.json({ items: stopped.map(view), next: null }, 200);
  });

  app.openapi(readRoute, async (c) => {
    const { room, recording } = c.req.valid('param');
    return c.json(view(await find(room, recording)), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { room, recording: id } = c.req.valid('param');
    const recording = await find(room, id);
    const { isPaused } = c.req.valid('json');
    if (isPaused === true) recording.pause();
    if (isPaused === false) recording.resume();
    return c.json(view(recording), 200);
  });

  app.openapi(stopRoute, async (c) => {
    const { room, recording: id } = c.req.valid('param');
    const recording = await find(room, id);
    void recording.stop();
    return c.json(view(recording), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { room, recording } = c.req.valid('param');
    await recordings.all.delete(await recordings.all.roomIdOf(room), recording);
    return c.body(null, 204);
  });

  app.openapi(downloadRoute, async (c) => {
    const { room, recording: id } = c.req.valid('param');
    const recording = await find(room, id);
    const [part, another] = recording.record.parts;
    if (!part) throw new GatewayError('not_found', 'No file of it is finished yet.');
    if (another) {
      const count = recording.record.parts.length;
      throw new GatewayError('conflict', `It has ${count} parts; download each by /parts/{number}/download.`);
    }
    return send(c, recording, part, c.req.valid('query').inline);
  });

  app.openapi(downloadPartRoute, async (c) => {
    const { room, recording: id, part: number } = c.req.valid('param');
    const recording = await find(room, id);
    return send(c, recording, partOf(recording, number), c.req.valid('query').inline);
  });

  app.openapi(thumbnailRoute, async (c) => {
    const { room, recording: id, part: number } = c.req.valid('param');
    const { thumbnail } = partOf(await find(room, id), number);
    if (thumbnail === undefined) throw new GatewayError('not_found', 'It has no picture.');
    const shown = { path: files.pathOf(thumbnail), fileName: basename(thumbnail), isInline: true };
    return fileResponse({ ...shown, contentType: 'image/jpeg', request: c.req.raw, requestId: c.get('requestId') });
  });

  return app;
}

const view = (recording: Recording): RecordingResource => recordingView(recording.record, recording);

const locationOf = ({ record: { roomId, id } }: Recording): string => `/api/rooms/${roomId}/recordings/${id}`;

const whereTo = ({ upload }: RecordingPart): string => (upload?.url === undefined ? '' : `; it is at ${upload.url}`);

function partOf({ record }: Recording, number: number): RecordingPart {
  const part = record.parts.find((one) => one.number === number);
  if (!part) throw new GatewayError('not_found', 'There is no such part.');
  return part;
}
