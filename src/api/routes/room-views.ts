// Owns: /api/rooms/{room}/views, the room as one picture. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { viewNamed } from '#core/room-views.ts';
import { arrangeView } from '#core/view-arrangement.ts';
import type { ViewSettings } from '#core/view-settings.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  pageQuery,
  roomParams,
  type ViewInput,
  viewInput,
  viewList,
  viewParams,
  viewPatch,
  viewSchema,
} from '../contract.ts';
import { viewResource } from '../room-view-resource.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { pageInOrder } from '../views.ts';

const tags = ['Views'];

const listRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/views',
  operationId: 'listViews',
  tags,
  summary: 'List the views of a room',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: roomParams, query: pageQuery },
  responses: { 200: jsonBody(viewList, 'A page of them, whether they run or not; `next` is a name.') },
  errors: ['not_found'],
});

const createRoute = apiRoute({
  method: 'post',
  path: '/api/rooms/{room}/views',
  operationId: 'createView',
  tags,
  summary: 'Give a room another view',
  description: 'It begins to run when somebody takes it: WHEP at /whep/{room}/views/{view}, an output, a meeting page.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: roomParams, body: jsonInput(viewInput) },
  responses: { 201: jsonBody(viewSchema, 'The view, with Location.') },
  errors: ['not_found', 'conflict', 'limit_reached'],
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
    'Looks stay for the next time it runs, and `add` and `remove` for as long as the stream is there. `primary`, ' +
    '`pinned`, `swap` and `order` are about who has a place now, and need a view that runs.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: viewParams, body: mergePatchInput(viewPatch) },
  responses: { 200: jsonBody(viewSchema, 'The view as it is now; places follow within a picture or two.') },
  errors: ['not_found', 'conflict', 'unprocessable'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: '/api/rooms/{room}/views/{view}',
  operationId: 'deleteView',
  tags,
  summary: 'Take a view away',
  description: 'It ends for everybody who watches it. A room without views is never composed.',
  access: { scope: 'rooms:write', participants: 'moderate' },
  request: { params: viewParams },
  responses: { 204: { description: 'Gone.' } },
  errors: ['not_found'],
});

export function roomViewRoutes({ rooms, views }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const resource = (record: Parameters<typeof views.find>[0], settings: ViewSettings) =>
    viewResource(settings, views.find(record, settings.name));

  app.openapi(listRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    const named = views.settingsOf(record).map((settings) => ({ id: settings.name, settings }));
    const { items, next } = pageInOrder(named, c.req.valid('query'));
    return c.json({ items: items.map(({ settings }) => resource(record, settings)), next }, 200);
  });

  app.openapi(createRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    const settings = await views.ofRooms.create(record.id, withImage(c.req.valid('json')));
    c.header('location', `/api/rooms/${record.id}/views/${settings.name}`);
    return c.json(resource(record, settings), 201);
  });

  app.openapi(readRoute, async (c) => {
    const { room, view: name } = c.req.valid('param');
    const { record } = await rooms.get(room);
    return c.json(resource(record, viewNamed(record, name)), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { room, view: name } = c.req.valid('param');
    const { record } = await rooms.get(room);
    const { primary, pinned, swap, order, add, remove, ...looks } = c.req.valid('json');
    const stage = { primary, pinned, swap, order, add, remove };
    const settings = await arrangeView(views, record, name, { look: withImage(looks), stage });
    return c.json(resource(record, settings), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { room, view: name } = c.req.valid('param');
    const { record } = await rooms.get(room);
    await views.ofRooms.delete(record.id, name);
    return c.body(null, 204);
  });

  return app;
}

function withImage<T extends Pick<ViewInput, 'backgroundImage'>>({ backgroundImage, ...rest }: T) {
  const image = typeof backgroundImage === 'string' ? Buffer.from(backgroundImage, 'base64') : backgroundImage;
  return { ...rest, backgroundImage: image };
}
