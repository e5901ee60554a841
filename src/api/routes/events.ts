// Owns: /api/events, what happened and happens. May import: core, ./.. of the API.
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { GatewayError } from '#core/errors.ts';
import type { EventFilter } from '#core/gateway-events.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { allEventsQuery, eventList, eventQuery, lastEventIdHeaders, roomParams } from '../contract.ts';
import { EventCursor } from '../event-cursor.ts';
import { eventStream, heartbeatMs } from '../event-stream.ts';
import { eventView } from '../event-views.ts';
import { roomIdOf } from '../room-lookup.ts';
import { apiRoute, newRouter } from '../route.ts';

const tags = ['Events'];
const description = [
  'A page of the log, oldest first unless `order` says otherwise; with `Accept: text/event-stream` a stream of server-sent events that goes on.',
  'A stream begins with what happens from now on, or after the event that `Last-Event-ID` or `after` names; an event `gap` says that some of those are no longer kept.',
  'The same is sent over a WebSocket at this address: its first message is `{"token", "after", "types", "room"}`.',
].join(' ');
const responses = {
  200: {
    description: 'A page of events, or the stream.',
    content: { 'application/json': { schema: eventList }, 'text/event-stream': { schema: z.string() } },
  },
} as const;

const allRoute = apiRoute({
  method: 'get',
  path: '/api/events',
  operationId: 'listEvents',
  tags,
  summary: 'Read or follow events',
  description,
  access: { scope: 'events:read' },
  request: { query: allEventsQuery, headers: lastEventIdHeaders },
  responses,
  errors: ['not_found', 'overloaded'],
});

const roomRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/events',
  operationId: 'listRoomEvents',
  tags,
  summary: 'Read or follow the events of a room',
  description,
  access: { scope: 'events:read', participants: 'moderate' },
  request: { params: roomParams, query: eventQuery, headers: lastEventIdHeaders },
  responses,
  errors: ['not_found', 'overloaded'],
});

interface EventsQuery {
  readonly limit: number;
  readonly after?: string | undefined;
  readonly type?: readonly string[] | undefined;
  readonly order: 'oldest' | 'newest';
}

export function eventRoutes({ rooms, eventLog, streams, auth }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();

  app.openapi(allRoute, async (c) => {
    const { room, ...query } = c.req.valid('query');
    return answer(c, query, room === undefined ? undefined : await roomIdOf(rooms, room)) as never;
  });

  app.openapi(roomRoute, async (c) => {
    const { id } = (await rooms.get(c.req.valid('param').room)).record;
    return answer(c, c.req.valid('query'), id) as never;
  });

  return app;

  async function answer(
    c: Context<ApiEnv>,
    { limit, after, type, order }: EventsQuery,
    roomId: string | undefined,
  ): Promise<Response> {
    const filter = { types: type, roomId };
    const from = c.req.header('last-event-id') ?? after;
    if (/\btext\/event-stream\b/.test(c.req.header('accept') ?? '')) return follow(c, filter, from);
    const isFromTheEnd = order === 'newest' && from === undefined;
    const { seq } = new EventCursor(eventLog, filter, from ?? (isFromTheEnd ? undefined : EventCursor.beginning));
    const place = isFromTheEnd ? seq + 1 : seq;
    const { events } = await eventLog.search({ ...filter, after: place, limit: limit + 1, order });
    const items = events.slice(0, limit);
    return c.json(
      { items: items.map(eventView), next: events.length > limit ? (items.at(-1)?.id ?? null) : null },
      200,
    );
  }

  function follow(c: Context<ApiEnv>, filter: EventFilter, after: string | undefined): Response {
    const cursor = new EventCursor(eventLog, filter, after);
    const release = streams.take();
    const [credential, address] = [c.get('credential'), c.get('address')];
    const isStillKnown = async () => {
      try {
        await auth.authenticate(credential, address);
        return true;
      } catch (thrown) {
        if (thrown instanceof GatewayError) return false;
        throw thrown;
      }
    };
    const body = eventStream({ cursor, signal: eventLog.signal, mayGoOn: isStillKnown, onEnd: release, heartbeatMs });
    return new Response(body, {
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        // nginx would keep events back until its buffer is full.
        'x-accel-buffering': 'no',
      },
    });
  }
}
