// Owns: rooms. May import: zod, core, ./pieces.

import { z } from 'zod';
import { roomNamePattern } from '#core/ids.ts';
import { maxViews } from '#core/view-settings.ts';
import { meetingInput, meetingPatch, meetingSettingsSchema } from './meetings.ts';
import { bag, count, limit, page, pageQueryOf, permissionShape, role, time } from './pieces.ts';
import { roomMediaPatch, roomMediaShape } from './room-media.ts';
import { roomViewInput, viewSettingsSchema } from './room-views.ts';
import { roomSipInput, roomSipPatch, roomSipSchema } from './sip.ts';

const mediaFlagsInput = z.strictObject({
  audio: z.boolean().default(false),
  video: z.boolean().default(false),
  data: z.boolean().default(false),
});

const roleSchema = z.strictObject({ role, ...permissionShape }).meta({ id: 'Role' });

const roleInput = z.strictObject({
  role,
  publish: mediaFlagsInput.prefault({}),
  subscribe: mediaFlagsInput.prefault({}),
  chat: z.boolean().default(true),
  moderate: z.boolean().default(false),
});

const rolesInput = z
  .array(roleInput)
  .min(1)
  .max(50)
  .refine((roles) => new Set(roles.map((entry) => entry.role)).size === roles.length, 'two roles have one name');

const settings = {
  displayName: z.string().max(128).meta({ description: 'Title shown to people.' }),
  maxParticipants: limit(100_000, 'Participants at once.'),
  inputLimit: limit(100_000, 'Streams published at once.'),
  lastN: limit(1_000, 'Camera videos that a receiver gets at once, of who spoke last.'),
  emptyTimeoutMs: z.int().min(1).max(604_800_000).meta({ description: 'Closes so long after the last one left.' }),
  announcesAudience: z
    .boolean()
    .meta({ description: 'false: clients are told of who publishes, and of the rest moderators alone.' }),
  announcesStreams: z.boolean().meta({
    description:
      'false: clients learn which streams there are as they join, and of what comes, changes and ends moderators alone.',
  }),
};

const viewsInput = z
  .array(roomViewInput)
  .max(maxViews)
  .meta({ description: 'All of them; none: the room is never composed. Background images stay as they are.' });

const roomName = z
  .string()
  .regex(roomNamePattern, 'has 1 to 64 letters, digits or . _ ~ - and starts with a letter or digit')
  .meta({ description: 'Address of the room: /r/{name}, sip:{name}@host. Compared without case.', examples: ['demo'] });

export const roomSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    ...settings,
    roles: z.array(roleSchema).readonly(),
    metadata: z.record(z.string(), z.string()).meta({ description: 'Of the application; not interpreted.' }),
    ...roomMediaShape,
    views: z
      .array(viewSettingsSchema)
      .readonly()
      .meta({ description: 'What is composed of it, when somebody watches.' }),
    meeting: meetingSettingsSchema,
    sip: roomSipSchema.meta({ description: 'Phones; the PIN is at …/dial-in.' }),
    createdAt: time,
    isActive: z.boolean().meta({ description: 'Somebody is in it, or was a moment ago.' }),
    participantCount: count,
  })
  .meta({ id: 'Room' });

export const roomQuery = pageQueryOf('RM_').extend({
  name: z.string().min(1).max(64).optional().meta({ description: 'Part of the name or title, without case.' }),
  isActive: z.enum(['true', 'false']).optional(),
  owner: z.string().min(1).max(128).optional().meta({ description: 'Personal rooms of this user.' }),
});

export const roomInput = z
  .strictObject({
    name: roomName,
    displayName: settings.displayName.optional(),
    maxParticipants: settings.maxParticipants.optional(),
    inputLimit: settings.inputLimit.optional(),
    lastN: settings.lastN.optional(),
    emptyTimeoutMs: settings.emptyTimeoutMs.optional(),
    announcesAudience: settings.announcesAudience.optional(),
    announcesStreams: settings.announcesStreams.optional(),
    roles: rolesInput.optional(),
    metadata: bag(64).optional(),
    mediaIn: roomMediaShape.mediaIn.optional(),
    mediaOut: roomMediaShape.mediaOut.optional(),
    transcoding: roomMediaShape.transcoding.optional(),
    selectActiveAudio: roomMediaShape.selectActiveAudio.optional(),
    views: viewsInput.optional(),
    meeting: meetingInput.optional(),
    sip: roomSipInput.optional(),
  })
  .meta({ id: 'RoomInput' });

/** RFC 7396: null takes a setting back to its default and a metadata key away. */
export const roomPatch = z
  .strictObject({
    name: roomName.optional(),
    displayName: settings.displayName.nullish(),
    maxParticipants: settings.maxParticipants.nullish(),
    inputLimit: settings.inputLimit.nullish(),
    lastN: settings.lastN.nullish(),
    emptyTimeoutMs: settings.emptyTimeoutMs.nullish(),
    announcesAudience: settings.announcesAudience.nullish(),
    announcesStreams: settings.announcesStreams.nullish(),
    roles: rolesInput.nullish(),
    metadata: z.record(z.string().min(1).max(64), z.string().max(1_024).nullable()).nullish(),
    mediaIn: z.union([roomMediaPatch.mediaIn, z.null()]).optional(),
    mediaOut: z.union([roomMediaPatch.mediaOut, z.null()]).optional(),
    transcoding: z.union([roomMediaPatch.transcoding, z.null()]).optional(),
    selectActiveAudio: roomMediaShape.selectActiveAudio.nullish(),
    views: z.union([viewsInput, z.null()]).optional(),
    meeting: z.union([meetingPatch, z.null()]).optional(),
    sip: roomSipPatch.nullish(),
  })
  .meta({ id: 'RoomPatch', description: 'JSON merge patch (RFC 7396): null takes a setting back to its default.' });

/** What a room's metadata has to be after a patch was merged into it. */
export const metadataSchema = bag(64);

export const roomList = page(roomSchema).meta({ id: 'RoomList' });

export type RoomResource = z.output<typeof roomSchema>;
export type RoomInput = z.input<typeof roomInput>;
export type RoomPatch = z.input<typeof roomPatch>;
