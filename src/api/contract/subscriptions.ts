// Owns: what is received in a room, and in which format. May import: zod, core, ./pieces.

import { z } from 'zod';
import { formatCodecs } from '#core/stream-format.ts';
import { count, itemId, page, pageQueryOf, roomParams } from './pieces.ts';

export const subscriptionParams = z.object({ room: roomParams.shape.room, subscription: itemId });

const formatKeys = {
  codec: z.enum(formatCodecs),
  resolution: z
    .string()
    .min(1)
    .max(16)
    .meta({ description: 'A part of the source, a size or a name.', examples: ['x3/4', 'r640x360', 'vga'] }),
  framerate: z.number().meta({ description: 'Pictures per second, 1 to 60.' }),
  bitrate: z
    .union([z.string().min(1).max(8), z.number()])
    .meta({ description: 'A part of what is usual for its size, or bit/s.', examples: ['x0.8', 500_000] }),
  keyFrameInterval: z.number().meta({ description: 'Seconds, 1 to 3600.' }),
};

export const streamFormat = z
  .strictObject({
    codec: formatKeys.codec.optional(),
    resolution: formatKeys.resolution.optional(),
    framerate: formatKeys.framerate.optional(),
    bitrate: formatKeys.bitrate.optional(),
    keyFrameInterval: formatKeys.keyFrameInterval.optional(),
  })
  .meta({ id: 'StreamFormat', description: 'What is not said is as the source has it.' });

const formatPatch = z.strictObject({
  codec: formatKeys.codec.nullable().optional(),
  resolution: formatKeys.resolution.nullable().optional(),
  framerate: formatKeys.framerate.nullable().optional(),
  bitrate: formatKeys.bitrate.nullable().optional(),
  keyFrameInterval: formatKeys.keyFrameInterval.nullable().optional(),
});

export const subscriptionSchema = z
  .object({
    id: z.string(),
    participantId: z.string().meta({ description: 'Who receives it. Players (WHEP) are in no list of participants.' }),
    user: z.string(),
    streamId: z.string().meta({ description: 'What is received.' }),
    kind: z.enum(['audio', 'video']),
    mimeType: z.string().meta({ description: 'Codec in which it is received.', examples: ['video/VP8'] }),
    isPaused: z.boolean(),
    isHeldBack: z.boolean().meta({ description: 'Put aside for somebody who speaks (lastN).' }),
    canChangeFormat: z.boolean().meta({ description: 'Its receiver can be given the video in another format.' }),
    format: streamFormat.nullable().meta({ description: 'What was asked for; null for what its publisher sends.' }),
    currentLayers: z.object({ spatialLayer: count, temporalLayer: count.nullable() }).nullable(),
    score: z.number().min(0).max(10).nullable().meta({ description: '10 is best; null until measured.' }),
  })
  .meta({ id: 'Subscription' });

export const subscriptionList = page(subscriptionSchema).meta({ id: 'SubscriptionList' });

export const subscriptionQuery = pageQueryOf('SU_').extend({
  participant: itemId.optional().meta({ description: 'Id of who receives.' }),
  stream: itemId.optional().meta({ description: 'Id of what is received.' }),
  kind: subscriptionSchema.shape.kind.optional(),
});

export const subscriptionPatch = z
  .strictObject({
    format: formatPatch.nullable().optional().meta({
      description:
        'Keys that are absent stay as they were, null takes one back; null for all: as its publisher sends it.',
    }),
  })
  .meta({ id: 'SubscriptionPatch' });

export type SubscriptionResource = z.output<typeof subscriptionSchema>;
