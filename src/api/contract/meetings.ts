// Owns: rooms as meetings: their times, doors and who waits outside. May import: zod, core, ./pieces.
import { z } from 'zod';
import { waitReasons } from '#core/room-meeting.ts';
import { count, itemId, page, role, roomParams, shortText, time } from './pieces.ts';

const settings = {
  startsAt: time.meta({ description: 'Who comes before waits, until then or until a moderator is there.' }),
  endsAt: time.meta({ description: 'The room closes then, and stays closed until this is moved.' }),
  waitsForModerator: z.boolean().meta({ description: 'Who comes while no moderator is there waits for one.' }),
  hasWaitingRoom: z.boolean().meta({ description: 'Who comes waits until a moderator lets it in.' }),
  isLocked: z.boolean().meta({ description: 'Nobody comes in any more but moderators.' }),
  asksConsent: z.boolean().meta({ description: 'It is recorded, and who joins has to agree to that.' }),
  hasGuests: z
    .boolean()
    .meta({ description: 'Browsers come in with the PIN of the room (`sip.pin`), without a token.' }),
  owner: shortText.meta({
    description: 'A personal room: this user moderates it, and nobody else comes as moderator.',
  }),
};

const optionalSettings = {
  startsAt: settings.startsAt.optional(),
  endsAt: settings.endsAt.optional(),
  waitsForModerator: settings.waitsForModerator.optional(),
  hasWaitingRoom: settings.hasWaitingRoom.optional(),
  isLocked: settings.isLocked.optional(),
  asksConsent: settings.asksConsent.optional(),
  hasGuests: settings.hasGuests.optional(),
  owner: settings.owner.optional(),
};

export const meetingSettingsSchema = z
  .object({
    startsAt: settings.startsAt.nullable(),
    endsAt: settings.endsAt.nullable(),
    waitsForModerator: settings.waitsForModerator,
    hasWaitingRoom: settings.hasWaitingRoom,
    isLocked: settings.isLocked,
    asksConsent: settings.asksConsent,
    hasGuests: settings.hasGuests,
    owner: settings.owner.nullable(),
    isTemporary: z.boolean().meta({ description: 'Forgotten some time after the last one left.' }),
  })
  .meta({ id: 'MeetingSettings' });

export const meetingInput = z.strictObject(optionalSettings).meta({ id: 'MeetingInput' });

const patchable = {
  startsAt: settings.startsAt.nullish(),
  endsAt: settings.endsAt.nullish(),
  waitsForModerator: settings.waitsForModerator.nullish(),
  hasWaitingRoom: settings.hasWaitingRoom.nullish(),
  isLocked: settings.isLocked.nullish(),
  asksConsent: settings.asksConsent.nullish(),
  hasGuests: settings.hasGuests.nullish(),
  owner: settings.owner.nullish(),
};

export const meetingPatch = z
  .strictObject(patchable)
  .meta({ id: 'MeetingPatch', description: 'JSON merge patch (RFC 7396): null takes a setting away.' });

/** What a moderator may change by its join token. */
export const doorPatch = z
  .strictObject({
    isLocked: settings.isLocked.optional(),
    hasWaitingRoom: settings.hasWaitingRoom.optional(),
    asksConsent: settings.asksConsent.optional(),
    endsAt: settings.endsAt.nullish(),
  })
  .meta({ id: 'DoorPatch', description: 'JSON merge patch (RFC 7396).' });

export const meetingSchema = z
  .object({
    ...meetingSettingsSchema.shape,
    state: z
      .enum(['scheduled', 'waiting', 'open', 'over'])
      .meta({ description: '`scheduled`: before its start; `waiting`: for a moderator. In both, who comes waits.' }),
    waitingCount: count,
  })
  .meta({ id: 'Meeting' });

export const waitingParams = roomParams.extend({ waiting: itemId });

export const waitingSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['webrtc', 'sip']),
    user: z.string(),
    displayName: z.string(),
    role,
    reason: z
      .enum(waitReasons)
      .meta({ description: 'For the start, for a moderator to come, or for one to say yes (`admission`).' }),
    position: z.int().min(1),
    since: time,
  })
  .meta({ id: 'Waiting' });

export const waitingList = page(waitingSchema).meta({ id: 'WaitingList' });

export const admittedSchema = z.object({ admittedCount: count }).meta({ id: 'Admitted' });

export const guestTokenInput = z
  .strictObject({
    pin: z
      .string()
      .min(1)
      .max(32)
      .meta({ description: 'Of the room, as phones type it.', examples: ['471100'] }),
    name: shortText.meta({ description: 'What others see.' }),
  })
  .meta({ id: 'GuestTokenInput' });

export const guestTokenSchema = z
  .object({ token: z.string(), room: z.string().meta({ description: 'Its name.' }), expiresAt: time })
  .meta({ id: 'GuestToken' });

export const instantMeetingInput = z
  .strictObject({
    displayName: z.string().min(1).max(128).optional().meta({ description: 'Title shown to people.' }),
    host: shortText.optional().meta({ description: 'User that the link for the host is for; `host` if absent.' }),
    meeting: z.strictObject(optionalSettings).optional(),
  })
  .meta({ id: 'InstantMeetingInput' });

export const instantMeetingSchema = z
  .object({
    room: z.object({ id: z.string(), name: z.string() }),
    url: z.url().meta({ description: 'For everybody who is invited.' }),
    hostUrl: z.url().meta({ description: 'For whoever moderates.' }),
    pin: z.string().meta({ description: 'For phones, and for browsers that open the page without the link.' }),
    addresses: z.array(z.string()).readonly().meta({ description: 'What phones dial; empty without phones.' }),
    expiresAt: time.meta({ description: 'Until then the links let people in.' }),
  })
  .meta({ id: 'InstantMeeting' });

export type MeetingResource = z.output<typeof meetingSchema>;
export type WaitingResource = z.output<typeof waitingSchema>;
export type InstantMeeting = z.output<typeof instantMeetingSchema>;
export type InstantMeetingInput = z.input<typeof instantMeetingInput>;
