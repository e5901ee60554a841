// Owns: the keys that encoders push with. May import: zod, core, ./pieces.

import { z } from 'zod';
import { busyPolicies, pushProtocols } from '#core/stream-keys.ts';
import { itemId, ingressLatency as latency, page, pageQueryOf, roomParams, shortText, time } from './pieces.ts';

export const streamKeyParams = z.object({ streamKey: itemId });
export const streamKeyQuery = pageQueryOf('SK_').extend({ room: roomParams.shape.room.optional() });

const settings = {
  protocol: z.enum(pushProtocols),
  name: shortText.meta({ description: 'Shown in the room as the name of the participant.' }),
  onConflict: z
    .enum(busyPolicies)
    .meta({ description: 'What a second publisher gets: refused, or the place of the first.' }),
};

export const streamKeySchema = z
  .object({
    id: z.string(),
    room: z.string().meta({ description: 'Name of the room.' }),
    roomId: z.string(),
    ...settings,
    isEncrypted: z.boolean().meta({ description: 'Media must be encrypted with a passphrase of its own; SRT only.' }),
    latency: latency.nullable(),
    createdAt: time,
    isLive: z.boolean().meta({ description: 'Somebody publishes with it now.' }),
    participantId: z
      .string()
      .nullable()
      .meta({ description: 'While it is in the room: also for a while after its publisher was lost.' }),
    jobId: z.string().nullable(),
  })
  .meta({ id: 'StreamKey' });

export const streamKeyList = page(streamKeySchema).meta({ id: 'StreamKeyList' });

export const streamKeyInput = z
  .strictObject({
    room: roomParams.shape.room,
    protocol: settings.protocol.default('rtmp'),
    name: settings.name,
    onConflict: settings.onConflict.default('reject'),
    latency: latency.optional(),
    isEncrypted: z
      .boolean()
      .default(false)
      .meta({ description: 'Of SRT: makes a passphrase, and takes no media that is not encrypted with it.' }),
  })
  .meta({ id: 'StreamKeyInput' });

export const streamKeyPatch = z
  .strictObject({
    name: settings.name.optional(),
    onConflict: settings.onConflict.nullish(),
    latency: latency.nullish(),
  })
  .meta({ id: 'StreamKeyPatch' });

export const newStreamKeySchema = streamKeySchema
  .extend({
    key: z.string().meta({ description: 'The key itself: shown this once.' }),
    url: z.string().meta({ description: 'Where to push, with the key.', examples: ['rtmp://live.example/live/K…'] }),
    passphrase: z.string().nullable().meta({ description: 'Shown this once too; it is in the URL.' }),
    serverUrl: z.string().meta({ description: 'The same without the key, for encoders that ask for the two apart.' }),
  })
  .meta({ id: 'NewStreamKey' });

export type StreamKeyResource = z.output<typeof streamKeySchema>;
export type StreamKeyInput = z.input<typeof streamKeyInput>;
export type NewStreamKeyResource = z.output<typeof newStreamKeySchema>;
