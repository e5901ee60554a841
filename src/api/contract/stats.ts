// Owns: live counters of a room. May import: zod, core, ./pieces.

import { z } from 'zod';
import { trackSources } from '#core/track.ts';
import { participantSchema } from './participants.ts';
import { time } from './pieces.ts';

const rtpCounters = {
  bitrateBps: z.number(),
  byteCount: z.number(),
  packetCount: z.number(),
  packetsLost: z.number(),
  fractionLost: z.number().meta({ description: '0 to 1, over the last report.' }),
  jitterMs: z.number(),
  roundTripTimeMs: z.number().nullable(),
  nackCount: z.number(),
  pliCount: z.number(),
  firCount: z.number(),
  score: z.number(),
};

const layers = z.object({ spatialLayer: z.number(), temporalLayer: z.number().optional() });

export const statsSchema = z
  .object({
    measuredAt: time,
    isPartial: z.boolean().meta({ description: 'The room is so large that only a part of it was measured.' }),
    participants: z
      .array(
        z.object({
          id: z.string(),
          displayName: z.string(),
          quality: participantSchema.shape.quality,
          receivedBitrateBps: z.number().meta({ description: 'From it to the server.' }),
          sentBitrateBps: z.number().meta({ description: 'From the server to it.' }),
          availableOutgoingBps: z.number().nullable().meta({ description: 'What it can receive, by estimate.' }),
          protocol: z.enum(['udp', 'tcp']).nullable(),
          remoteAddress: z.string().nullable().meta({ description: 'Only shown to keys and sessions.' }),
        }),
      )
      .readonly(),
    streams: z
      .array(
        z.object({
          id: z.string(),
          participantId: z.string(),
          kind: z.enum(['audio', 'video']),
          source: z.enum(trackSources),
          mimeType: z.string(),
          isMuted: z.boolean(),
          encodings: z.array(z.object({ rid: z.string().nullable(), ssrc: z.number(), ...rtpCounters })).readonly(),
          subscriptions: z
            .array(
              z.object({
                id: z.string(),
                participantId: z.string(),
                isFlowing: z.boolean(),
                isHeldBack: z.boolean().meta({ description: 'Put aside by last-N.' }),
                currentLayers: layers.nullable(),
                ...rtpCounters,
              }),
            )
            .readonly(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'RoomStats' });

export type RoomStats = z.output<typeof statsSchema>;
