// Owns: /api/rooms/{room}/views, the room as one picture. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { GatewayError } from '#core/errors.ts';
import type { View } from '#core/view.ts';
import type { ViewMember } from '#core/view-inputs.ts';
import type { ViewSettings } from '#core/view-settings.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  roomParams,
  type ViewPatch,
  type ViewResource,
  viewList,
  viewParams,
  viewPatch,
  viewSchema,
} from '../contract.ts';
import { apiRoute, jsonBody, mergePatchInput, newRouter } from '../route.ts';

const tags = ['Views'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/views',
  operationId: 'listViews',
  tags,
  summary: 'List the views of a room',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: roomParams },
  responses: { 200: jsonBody(viewList, 'All of them, whether they run or not.') },
  errors: ['not_found'],
});

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/views/{view}',
  operationId: 'readView',
  tags,
  summary: 'Read a view: how it looks, who is where in it',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: viewParams },
  responses: { 200: jsonBody(viewSchema, 'The view.') },
  errors: ['not_found'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: '/api/rooms/{room}/views/{view}',
  operationId: 'patchView',
  tags,
  summary: 'Change a view while it is watched',
  description:
    'Looks stay for the next time it runs. `primary`, `pinned`, `swap`, `order`, `add` and `remove` are about who is ' +
    'there now, and need a view that runs.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: viewParams, body: mergePatchInput(viewPatch) },
  responses: { 200: jsonBody(viewSchema, 'The view as it is now; places follow within a picture or two.') },
  errors: ['not_found', 'conflict'],
});

export function roomViewRoutes({ rooms, views }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const resource = (record: Parameters<typeof views.find>[0], settings: ViewSettings) =>
    viewResource(settings, views.find(record, settings.name));

  app.openapi(listRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    return c.json({ items: views.settingsOf(record).map((settings) => resource(record, settings)) }, 200);
  });

  app.openapi(readRoute, async (c) => {
    const { room, view: name } = c.req.valid('param');
    const { record } = await rooms.get(room);
    const settings = views.settingsOf(record).find((one) => one.name === name);
    if (!settings) throw new GatewayError('not_found', `This room has no view "${name}".`);
    return c.json(resource(record, settings), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { room, view: name } = c.req.valid('param');
    const { record } = await rooms.get(room);
    const { backgroundImage, primary, pinned, swap, order, add, remove, ...looks } = c.req.valid('json');
    const stage = { primary, pinned, swap, order, add, remove };
    const isStaged = Object.values(stage).some((value) => value !== undefined);
    const running = views.find(record, name);
    // Before anything is changed: a patch is applied as a whole or not at all.
    if (isStaged) checkStage(running, stage);
    const image = typeof backgroundImage === 'string' ? Buffer.from(backgroundImage, 'base64') : backgroundImage;
    const settings = views.change(record, name, { ...looks, backgroundImage: image });
    if (running && isStaged) applyStage(running, stage);
    return c.json(viewResource(settings, running), 200);
  });

  return app;
}

type StagePatch = Pick<ViewPatch, 'primary' | 'pinned' | 'swap' | 'order' | 'add' | 'remove'>;

/** @throws GatewayError `conflict` when it does not run, `not_found` for who is not there */
function checkStage(view: View | undefined, { primary, pinned, swap, order, add, remove }: StagePatch): void {
  if (!view) throw new GatewayError('conflict', 'Nobody watches this view now, so nobody has a place in it.');
  for (const name of [primary, pinned, ...(swap ?? []), ...(order ?? [])]) {
    if (typeof name === 'string' && !view.inputs.named(name)) {
      throw new GatewayError('not_found', `"${name}" is not in this view.`);
    }
  }
  const published = new Set<string>([...view.room.publications()].map(({ id }) => id));
  for (const id of [...(add ?? []), ...(remove ?? [])]) {
    if (!published.has(id)) throw new GatewayError('not_found', `The stream "${id}" is not in this room.`);
  }
}

function applyStage(view: View, { primary, pinned, swap, order, add, remove }: StagePatch): void {
  for (const id of remove ?? []) view.inputs.exclude(id);
  for (const id of add ?? []) view.inputs.include(id);
  if (order) view.reorder(order);
  if (swap) view.swap(...swap);
  if (primary !== undefined) view.setPrimary(primary);
  if (pinned !== undefined) view.pin(pinned ?? undefined);
}

function viewResource({ name, video, look, autoMix, hasAudio }: ViewSettings, view: View | undefined): ViewResource {
  const { layout, maxInputs, isVoicePrimary, backgroundColor, backgroundImage, hasLabels, hasSpeakerBorder } = look;
  const { pinned, stats } = view ?? {};
  return {
    ...{ name, isRunning: view !== undefined, hasAudio, autoMix, layout },
    ...{ maxInputs, isVoicePrimary, backgroundColor, hasLabels, hasSpeakerBorder },
    hasBackgroundImage: backgroundImage !== undefined,
    video: { ...video, bitrateBps: video.bitrateBps ?? null },
    inputs: (view?.order ?? []).map(inputResource),
    pinned: pinned ? (pinned.publication?.id ?? pinned.participant.id) : null,
    stats: stats ? statsResource(stats) : null,
  };
}

function statsResource(stats: NonNullable<View['stats']>): ViewResource['stats'] {
  const { framerateHz, targetFramerateHz, msPerTick, inputsWaiting, encoders } = stats;
  return {
    ...{ framerateHz, targetFramerateHz, msPerTick, inputsWaiting },
    encoders: encoders.map(({ frames: _f, keyFrames: _k, bytes: _b, ...shown }) => shown),
  };
}

function inputResource({ participant, publication, place }: ViewMember): ViewResource['inputs'][number] {
  const { regionId, x, y, width, height } = place ?? {};
  return {
    streamId: publication?.id ?? null,
    participantId: participant.id,
    displayName: participant.displayName,
    place: place ? ({ regionId, x, y, width, height } as NonNullable<ViewResource['inputs'][number]['place']>) : null,
  };
}
