// Owns: what is published in a room. May import: zod, core, ./pieces.

import { z } from 'zod';
import { trackSources } from '#core/track.ts';
import { count, itemId, page, pageQueryOf, roomParams, time } from './pieces.ts';

export const streamParams = z.object({ room: roomParams.shape.room, stream: itemId });

export const streamSchema = z
  .object({
    id: z.string(),
    participantId: z.string(),
    user: z.string(),
    displayName: z.string(),
    kind: z.enum(['audio', 'video']),
    source: z.enum(trackSources),
    label: z.string(),
    mimeType: z.string().meta({ description: 'Codec.', examples: ['video/VP8'] }),
    encodingCount: count.meta({ description: 'Simulcast encodings, 1 for none.' }),
    isMuted: z.boolean(),
    isMutedByModerator: z.boolean(),
    isWatched: z.boolean().meta({ description: 'Somebody receives it now.' }),
    subscriptionCount: count,
    inViews: z
      .array(z.string())
      .readonly()
      .meta({ description: 'Names of the views that it is in, whether they run or not.' }),
    score: z.number().min(0).max(10).nullable().meta({ description: '10 is best; null until measured.' }),
    startedAt: time,
  })
  .meta({ id: 'Stream' });

export const streamList = page(streamSchema).meta({ id: 'StreamList' });

export const streamQuery = pageQueryOf('TR_').extend({
  kind: streamSchema.shape.kind.optional(),
  source: streamSchema.shape.source.optional(),
  participant: itemId.optional().meta({ description: 'Id of who publishes them.' }),
});

export const streamPatch = z
  .strictObject({
    isMuted: z.boolean().optional().meta({ description: 'true mutes until a moderator lifts it; false lifts it.' }),
    inViews: z.array(z.string().min(1).max(64)).max(64).optional().meta({
      description:
        'Of a picture: into these views and out of all others, whatever `autoMix` says, as long as it is there.',
    }),
  })
  .meta({ id: 'StreamPatch' });

export type StreamResource = z.output<typeof streamSchema>;
export type StreamPatch = z.input<typeof streamPatch>;
