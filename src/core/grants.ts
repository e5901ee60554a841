// Owns: who may do what. Pure.
import { GatewayError } from './errors.ts';

/** What a role may do in a room (OWT's roles, with moderation and chat said openly). */
export interface RolePermissions {
  readonly publish: { readonly audio: boolean; readonly video: boolean; readonly data: boolean };
  readonly subscribe: { readonly audio: boolean; readonly video: boolean; readonly data: boolean };
  readonly chat: boolean;
  /** Mute, kick and change roles of others. */
  readonly moderate: boolean;
}

export interface RoleDefinition extends RolePermissions {
  readonly role: string;
}

const all = { audio: true, video: true, data: true };
const none = { audio: false, video: false, data: false };

/** The roles that a room has unless it names others. */
export const defaultRoles: readonly RoleDefinition[] = [
  { role: 'moderator', publish: all, subscribe: all, chat: true, moderate: true },
  { role: 'presenter', publish: all, subscribe: all, chat: true, moderate: false },
  { role: 'viewer', publish: none, subscribe: all, chat: true, moderate: false },
  {
    role: 'audio_only_presenter',
    publish: { ...none, audio: true },
    subscribe: { ...all, video: false },
    chat: true,
    moderate: false,
  },
  { role: 'video_only_viewer', publish: none, subscribe: { ...all, audio: false }, chat: true, moderate: false },
  { role: 'sip', publish: all, subscribe: all, chat: true, moderate: false },
];

/** @throws GatewayError `forbidden` when the room has no such role */
export function permissionsOf(roles: readonly RoleDefinition[], role: string): RolePermissions {
  const found = roles.find((definition) => definition.role === role);
  if (!found) {
    const names = roles.map((definition) => definition.role).join(', ');
    throw new GatewayError('forbidden', `This room has no role "${role}"; it has ${names}.`);
  }
  return { publish: found.publish, subscribe: found.subscribe, chat: found.chat, moderate: found.moderate };
}

/** Leave to be in one room, taken from a join token or made for an administrator. */
export interface JoinGrant {
  /** Name or id of the room that it is for. */
  readonly room: string;
  /** The application's name for the user; several participants may share it. */
  readonly user: string;
  /** What others see. */
  readonly displayName: string;
  readonly role: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Of HTTP; a PNG or JPEG that is fetched when somebody comes with it. */
  readonly avatarUrl?: string | undefined;
  /** Epoch milliseconds after which no new join is allowed with it. */
  readonly expiresAtMs: number;
  /** An administrator's grant may create the room it names. */
  readonly mayCreateRoom: boolean;
  /** Of the token that it was taken from: what is revoked. */
  readonly tokenId?: string | undefined;
  /** Good for one join only. */
  readonly isOneTime?: boolean | undefined;
  /** Takes away from what the role gives. */
  readonly limits?: GrantLimits | undefined;
  /** Of a token of the application, which names rooms by id or name: these; `*` is all. `room` is one of them then. */
  readonly rooms?: readonly string[] | undefined;
}

export const mediaKinds = ['audio', 'video', 'data'] as const;
type MediaKinds = readonly (typeof mediaKinds)[number][];

/** Kinds that may be sent and received; absent: what the role says. */
export interface GrantLimits {
  readonly publish?: MediaKinds | undefined;
  readonly subscribe?: MediaKinds | undefined;
}

export function limited(permissions: RolePermissions, limits: GrantLimits | undefined): RolePermissions {
  const within = (flags: RolePermissions['publish'], kinds: MediaKinds | undefined) =>
    kinds === undefined
      ? flags
      : {
          audio: flags.audio && kinds.includes('audio'),
          video: flags.video && kinds.includes('video'),
          data: flags.data && kinds.includes('data'),
        };
  const { publish, subscribe } = permissions;
  return { ...permissions, publish: within(publish, limits?.publish), subscribe: within(subscribe, limits?.subscribe) };
}

/** Whether it is for this room. A token of ours knows the id, which outlives the name. */
export function coversRoom(grant: JoinGrant, room: { readonly id: string; readonly name: string }): boolean {
  if (grant.rooms === undefined) return grant.room === room.id;
  const name = room.name.toLowerCase();
  return grant.rooms.some((one) => one === '*' || one === room.id || one.toLowerCase() === name);
}

/** What a participant takes over from its grant. */
export function partyOf({ user, displayName, role, attributes, avatarUrl, tokenId, isOneTime, limits }: JoinGrant) {
  return { user, displayName, role, attributes, avatarUrl, tokenId, isOneTime, limits };
}

export const scopes = [
  ...(['rooms:read', 'rooms:write', 'tokens:write'] as const),
  ...(['events:read', 'webhooks:read', 'webhooks:write'] as const),
  ...(['keys:read', 'keys:write', 'audit:read', 'metrics:read'] as const),
  'admin',
] as const;

/** `admin` holds all others. Writing does not hold reading: a key that only makes tokens cannot look around. */
export type Scope = (typeof scopes)[number];

/** Who stands behind an API request. */
export type Principal =
  | { readonly kind: 'key'; readonly keyId: string; readonly name: string; readonly scopes: readonly Scope[] }
  | { readonly kind: 'session'; readonly keyId: string; readonly name: string; readonly scopes: readonly Scope[] }
  | { readonly kind: 'participant'; readonly grant: JoinGrant };

/** `admin` holds every other scope. */
export function hasScope(principal: Principal, scope: Scope): boolean {
  if (principal.kind === 'participant') return false;
  return principal.scopes.includes(scope) || principal.scopes.includes('admin');
}
