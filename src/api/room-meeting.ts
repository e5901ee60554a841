// Owns: a room as a meeting between the API's words and the room's. Pure. May import: core, ./contract.
import type { z } from '@hono/zod-openapi';
import type { RoomMeeting } from '#core/room-meeting.ts';
import type { WaitingInfo } from '#core/waiting.ts';
import type { meetingPatch, meetingSettingsSchema, WaitingResource } from './contract.ts';
import { invalidFields } from './problem.ts';

const textOf = (epochMs: number | undefined) => (epochMs === undefined ? null : new Date(epochMs).toISOString());

export function meetingSettings(meeting: RoomMeeting = {}): z.output<typeof meetingSettingsSchema> {
  return {
    startsAt: textOf(meeting.startsAtMs),
    endsAt: textOf(meeting.endsAtMs),
    waitsForModerator: meeting.waitsForModerator ?? false,
    hasWaitingRoom: meeting.hasWaitingRoom ?? false,
    isLocked: meeting.isLocked ?? false,
    asksConsent: meeting.asksConsent ?? false,
    hasGuests: meeting.hasGuests ?? false,
    owner: meeting.owner ?? null,
    isTemporary: meeting.isTemporary ?? false,
  };
}

/**
 * @param input null takes all settings away, null in it one of them
 * @param path of the settings in the body, for who is told what does not fit
 * @throws GatewayError `invalid_request` when it would end before it starts
 */
export function changedMeeting(
  before: RoomMeeting | undefined,
  input: z.output<typeof meetingPatch> | null,
  path: readonly string[] = ['meeting'],
): RoomMeeting {
  const kept: RoomMeeting = before?.isTemporary ? { isTemporary: true } : {};
  if (input === null) return kept;
  const { startsAt, endsAt, ...rest } = input;
  const plain = Object.entries(rest).map(([name, value]) => [name, value || undefined]);
  const next: RoomMeeting = {
    ...before,
    ...Object.fromEntries(plain),
    ...(startsAt !== undefined && { startsAtMs: startsAt === null ? undefined : Date.parse(startsAt) }),
    ...(endsAt !== undefined && { endsAtMs: endsAt === null ? undefined : Date.parse(endsAt) }),
  };
  if (next.startsAtMs !== undefined && next.endsAtMs !== undefined && next.endsAtMs <= next.startsAtMs) {
    throw invalidFields('body', [{ path: [...path, 'endsAt'], message: 'is not after startsAt' }]);
  }
  return next;
}

export function waitingView({ sinceMs, ...info }: WaitingInfo): WaitingResource {
  return { ...info, since: new Date(sinceMs).toISOString() };
}
