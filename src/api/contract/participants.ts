// Owns: who is in a room. May import: zod, core, ./pieces.

import { z } from 'zod';
import {
  avatarUrl,
  itemId,
  page,
  pageQueryOf,
  permissionShape,
  permissionsSchema,
  role,
  roomParams,
  shortText,
  time,
} from './pieces.ts';

export const participantParams = z.object({ room: roomParams.shape.room, participant: itemId });

const mutedFlags = z.object({
  audio: z.boolean().meta({ description: 'No audio flows from it.' }),
  video: z.boolean().meta({ description: 'No video flows from it.' }),
});

export const participantSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['webrtc', 'sip', 'ingress', 'egress', 'bot', 'bridge']),
    user: z.string().meta({ description: 'The application’s name for the user; several participants may share it.' }),
    displayName: z.string(),
    role: z.string(),
    permissions: permissionsSchema,
    attributes: z.record(z.string(), z.string()),
    avatarId: z.string().nullable().meta({ description: 'Another one for another picture; null for none.' }),
    isMuted: mutedFlags,
    isHandRaised: z.boolean(),
    isConnected: z.boolean().meta({ description: 'False while its connection is lost and its place is kept.' }),
    isSpeaking: z.boolean().meta({ description: 'It is the active speaker.' }),
    quality: z.enum(['good', 'fair', 'poor', 'lost']),
    joinedAt: time,
    streams: z.array(z.string()).readonly().meta({ description: 'Ids of what it publishes.' }),
  })
  .meta({ id: 'Participant' });

export const participantList = page(participantSchema).meta({ id: 'ParticipantList' });

export const participantQuery = pageQueryOf('PA_').extend({
  kind: participantSchema.shape.kind.optional(),
  role: role.optional(),
  user: shortText.optional(),
});

export const removalQuery = z.object({
  mayReturn: z.enum(['true', 'false']).default('false').meta({ description: 'Its join token stays good.' }),
});

export const participantPatch = z
  .strictObject({
    displayName: shortText.optional(),
    role: role.optional().meta({ description: 'A role of this room; its permissions replace what there was.' }),
    permissions: z.strictObject(permissionShape).optional().meta({ description: 'For this participant alone.' }),
    isMuted: z
      .strictObject({ audio: z.boolean().optional(), video: z.boolean().optional() })
      .optional()
      .meta({ description: 'true mutes until a moderator lifts it; false lifts it.' }),
    isHandRaised: z.boolean().optional(),
  })
  .meta({ id: 'ParticipantPatch' });

export const avatarInput = z
  .strictObject({
    image: z
      .base64()
      .max(174_764)
      .optional()
      .meta({ description: 'PNG or JPEG, up to 128 KiB and 1024 pixels a side.' }),
    url: avatarUrl.optional(),
  })
  .refine(({ image, url }) => (image === undefined) !== (url === undefined), 'has either image or url')
  .meta({ id: 'AvatarInput' });

export type ParticipantResource = z.output<typeof participantSchema>;
export type ParticipantPatch = z.input<typeof participantPatch>;
export type AvatarInput = z.input<typeof avatarInput>;
