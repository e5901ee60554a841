// Owns: /api/rooms/{room}/dial-in, what people need to know to join by phone. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { dialInNumbers } from '#core/dial-in-numbers.ts';
import { hasScope, type Principal, permissionsOf } from '#core/grants.ts';
import type { RoomRecord } from '#core/room.ts';
import { roleIn } from '#core/room-meeting.ts';
import { effectiveSip } from '#core/room-sip.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { roomDialInSchema, roomParams } from '../contract.ts';
import { apiRoute, jsonBody, newRouter } from '../route.ts';

const readRoute = apiRoute({
  method: 'get',
  path: '/api/rooms/{room}/dial-in',
  operationId: 'readDialIn',
  tags: ['SIP calls'],
  summary: 'Read how to join a room by phone',
  description: 'The PIN is for those who may administer rooms or moderate this one.',
  access: { scope: 'rooms:read', participants: 'read' },
  request: { params: roomParams },
  responses: { 200: jsonBody(roomDialInSchema, 'What to dial, and the PIN.') },
  errors: ['not_found'],
});

export function roomDialInRoutes({ rooms, sip, config }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  app.openapi(readRoute, async (c) => {
    const { record } = await rooms.get(c.req.valid('param').room);
    const { hostname } = new URL(c.get('origin'));
    const addresses = sip.addressesOf(record, hostname.replaceAll(/[[\]]/g, ''));
    const pin = maySeePin(c.get('principal'), record) ? sip.pins.of(record.sip) : undefined;
    const door = { ...effectiveSip(record.sip, sip.defaults), hasPin: record.sip?.sealedPin !== undefined };
    const isEnabled = addresses.length > 0;
    const numbers = isEnabled ? dialInNumbers(sip.rules.all, record, { ...door, plan: config.sip.numberPlan }) : [];
    const view = { ...door, isEnabled, addresses, numbers };
    return c.json({ ...view, pin: pin ?? null }, 200);
  });
  return app;
}

function maySeePin(principal: Principal, record: RoomRecord): boolean {
  if (principal.kind !== 'participant') return hasScope(principal, 'rooms:write');
  return permissionsOf(record.roles, roleIn(record, principal.grant)).moderate;
}
