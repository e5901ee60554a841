// Owns: who may use a route. May import: core, ./api-env.
import type { Context, MiddlewareHandler } from 'hono';
import { GatewayError } from '#core/errors.ts';
import { coversRoom, hasScope, type Principal, permissionsOf, type Scope } from '#core/grants.ts';
import { roleIn } from '#core/room-meeting.ts';
import type { Rooms } from '#core/rooms.ts';
import type { ApiEnv } from './api-env.ts';

/**
 * `scope` is what an API key or session must hold. `participants` lets the join token of this very room in as well:
 * `read` any of them, `moderate` those whose role may moderate.
 */
export type Access =
  | { readonly to: 'everybody' }
  | { readonly to: 'anyone_known' }
  | { readonly scope: Scope; readonly participants?: 'read' | 'moderate' };

export function accessGate(access: Access): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if ('to' in access && access.to === 'everybody') return next();
    const principal = await identify(c);
    c.get('limits').countRequest(principal);
    if ('scope' in access) await assertMay(principal, access, c.req.param('room'), c.get('rooms'));
    return next();
  };
}

/** @param room name or id that the request is about, if any @throws GatewayError `forbidden` */
export async function assertMay(
  principal: Principal,
  access: Extract<Access, { scope: Scope }>,
  room: string | undefined,
  rooms: Rooms,
): Promise<void> {
  if (principal.kind === 'participant') {
    await assertParticipantMay(principal, access, room, rooms);
  } else if (!hasScope(principal, access.scope)) {
    throw new GatewayError('forbidden', `The key "${principal.name}" lacks the scope ${access.scope}.`);
  }
}

/** Sets who is asking. @throws GatewayError `unauthorized`, `rate_limited` */
export async function identify(c: Context<ApiEnv>): Promise<Principal> {
  const credential = credentialOf(c) ?? '';
  const principal = await c.get('auth').authenticate(credential, c.get('address'));
  c.set('principal', principal);
  c.set('credential', credential);
  return principal;
}

function credentialOf(c: Context<ApiEnv>): string | undefined {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '') ?? [];
  return bearer ?? c.req.header('x-auth-token')?.trim();
}

async function assertParticipantMay(
  { grant }: Extract<Principal, { kind: 'participant' }>,
  access: Extract<Access, { scope: Scope }>,
  room: string | undefined,
  rooms: Rooms,
): Promise<void> {
  if (!access.participants || room === undefined) {
    throw new GatewayError('forbidden', 'A join token may not do this; use an API key.');
  }
  const found = await rooms.find(room);
  // The same answer for a room that is another and for one that is not: a token does not tell which rooms there are.
  if (!found || !coversRoom(grant, found.record))
    throw new GatewayError('forbidden', 'This token is for another room.');
  if (access.participants === 'moderate' && !permissionsOf(found.record.roles, roleIn(found.record, grant)).moderate) {
    throw new GatewayError('forbidden', `The role "${grant.role}" may not moderate.`);
  }
}

/** For people, in the OpenAPI document. */
export function describeAccess(access: Access): string {
  if (!('scope' in access)) return access.to === 'everybody' ? 'Open to everybody.' : 'Any valid credential.';
  const tokens = {
    none: '',
    read: ', or the join token of this room',
    moderate: ', or the join token of this room with a role that may moderate',
  }[access.participants ?? 'none'];
  return `Scope \`${access.scope}\`${tokens}.`;
}
