// Owns: /api/rooms/{room}/sipcalls/{sipCall}/recording/start|stop. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { callRecordingInput, recordingSchema, sipCallParams } from '../contract.ts';
import { callSettingsFrom } from '../recording-settings.ts';
import { recordingView } from '../recording-view.ts';
import { apiRoute, jsonBody, jsonInput, newRouter } from '../route.ts';

const tags = ['SIP calls'];
const access = { scope: 'rooms:write', participants: 'moderate' } as const;

const startRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/sipcalls/{sipCall}/recording/start',
  operationId: 'startCallRecording',
  tags,
  summary: 'Record one call',
  description:
    'What the phone says and what it hears, wherever it goes, until it is stopped or the call ends. The phone is told. It is listed with the recordings of the room that the call is in now.',
  access,
  request: { params: sipCallParams, body: { ...jsonInput(callRecordingInput), required: false } },
  responses: { 201: jsonBody(recordingSchema, 'It is being started; `state` says how far it is.') },
  errors: [
    ...(['not_found', 'closed', 'conflict', 'limit_reached', 'unprocessable', 'insufficient_storage'] as const),
    ...(['overloaded', 'draining', 'media_lost', 'meeting_over'] as const),
  ],
});

const stopRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/sipcalls/{sipCall}/recording/stop',
  operationId: 'stopCallRecording',
  tags,
  summary: 'End the recording of one call',
  description: 'Answers at once; it is `finished` when its files are.',
  access,
  request: { params: sipCallParams },
  responses: { 200: jsonBody(recordingSchema, 'As it is now.') },
  errors: ['not_found', 'closed'],
});

export function sipCallRecordingRoutes(options: ApiOptions): OpenAPIHono<ApiEnv> {
  const { rooms, sip, recordings, config } = options;
  const find = async ({ room, sipCall }: { room: string; sipCall: string }) => {
    const found = sip.callsOf((await rooms.get(room)).record.id).find(({ info }) => info.id === sipCall);
    if (!found) throw new GatewayError('not_found', 'There is no such call in this room.');
    return found;
  };
  const app = newRouter();

  app.openapi(startRoute, async (c) => {
    const call = await find(c.req.valid('param'));
    const input = callRecordingInput.parse(c.req.valid('json') ?? {});
    const settings = callSettingsFrom(call.info.id, input, config.recordings);
    const recorded = call.forRecording();
    const { roomId = '' } = call.info;
    const made = await recordings.all.startOfCall(roomId, settings, recorded);
    c.header('location', `/api/rooms/${made.record.roomId}/recordings/${made.record.id}`);
    return c.json(recordingView(made.record, made), 201);
  });

  app.openapi(stopRoute, async (c) => {
    const { info } = await find(c.req.valid('param'));
    const recording = recordings.all.ofCall(info.id);
    if (!recording) throw new GatewayError('closed', 'This call is not being recorded.');
    void recording.stop();
    return c.json(recordingView(recording.record, recording), 200);
  });

  return app;
}
