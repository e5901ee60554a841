// Owns: a room as a meeting: when it is, who may come in at once, who has to wait, who stays outside. Pure. May import:
// core only.
import type { ErrorCode } from './errors.ts';
import type { RoleDefinition } from './grants.ts';

/** What is absent is off. */
export interface RoomMeeting {
  /** Who comes before waits, until then or until a moderator is there. */
  readonly startsAtMs?: number | undefined;
  /** The room closes then, and stays closed. */
  readonly endsAtMs?: number | undefined;
  /** Who comes while no moderator is there waits for one. */
  readonly waitsForModerator?: boolean | undefined;
  /** Who comes waits until a moderator lets it in. */
  readonly hasWaitingRoom?: boolean | undefined;
  /** Nobody comes in any more but moderators. */
  readonly isLocked?: boolean | undefined;
  /** It is recorded, and who comes has to agree to that. */
  readonly asksConsent?: boolean | undefined;
  /** Browsers come in with the PIN that phones type, without a token. */
  readonly hasGuests?: boolean | undefined;
  /** Its user; nobody else comes as moderator. */
  readonly owner?: string | undefined;
  /** Made for one meeting: forgotten some time after it. */
  readonly isTemporary?: boolean | undefined;
}

export const waitReasons = ['not_started', 'no_moderator', 'admission'] as const;
/** `admission`: until a moderator lets it in. */
export type WaitReason = (typeof waitReasons)[number];

export type Entrance =
  | { readonly kind: 'enter' }
  | { readonly kind: 'wait'; readonly reason: WaitReason }
  | { readonly kind: 'refuse'; readonly code: ErrorCode; readonly message: string };

export interface Comer {
  readonly isModerator: boolean;
  /** To being recorded; phones hear of it, and stay or go. */
  readonly hasConsented: boolean;
  /** A moderator has said so. */
  readonly isAdmitted: boolean;
}

/** @param hasModerator whether one is in the room now */
export function judgeEntrance(
  meeting: RoomMeeting | undefined,
  comer: Comer,
  hasModerator: boolean,
  nowMs: number,
): Entrance {
  if (!meeting) return { kind: 'enter' };
  const { startsAtMs = 0, waitsForModerator, hasWaitingRoom, isLocked, asksConsent } = meeting;
  if (isOver(meeting, nowMs)) return { kind: 'refuse', code: 'meeting_over', message: overMessage };
  if (asksConsent && !comer.hasConsented) {
    const message = 'This meeting is recorded. Whoever joins has to agree to that first.';
    return { kind: 'refuse', code: 'consent_required', message };
  }
  if (comer.isModerator || comer.isAdmitted) return { kind: 'enter' };
  if (isLocked) {
    const message = 'The meeting is locked: a moderator lets nobody in any more.';
    return { kind: 'refuse', code: 'room_locked', message };
  }
  if (startsAtMs > nowMs && !hasModerator) return { kind: 'wait', reason: 'not_started' };
  if (waitsForModerator && !hasModerator) return { kind: 'wait', reason: 'no_moderator' };
  return hasWaitingRoom ? { kind: 'wait', reason: 'admission' } : { kind: 'enter' };
}

export const overMessage = 'The meeting is over. Whoever holds it can move its end.';

export function isOver({ endsAtMs }: RoomMeeting, nowMs: number): boolean {
  return endsAtMs !== undefined && endsAtMs <= nowMs;
}

interface RoomOfRoles {
  readonly roles: readonly RoleDefinition[];
  readonly meeting?: RoomMeeting | undefined;
}

/** The role that somebody comes with: in a personal room its owner's moderates, and nobody else's. */
export function roleIn(room: RoomOfRoles, { user, role }: { readonly user: string; readonly role: string }): string {
  const owner = room.meeting?.owner;
  if (owner === undefined) return role;
  const moderates = room.roles.find((known) => known.role === role)?.moderate ?? false;
  if (user === owner) return moderates ? role : (room.roles.find(({ moderate }) => moderate)?.role ?? role);
  return moderates ? guestRoleIn(room) : role;
}

/** Of whoever comes without a role of its own. */
export function guestRoleIn({ roles }: RoomOfRoles): string {
  const plain = roles.filter(({ moderate }) => !moderate);
  return (plain.find(({ role }) => role === 'presenter') ?? plain[0] ?? roles[0])?.role ?? 'presenter';
}
