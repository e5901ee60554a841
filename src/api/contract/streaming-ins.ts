// Owns: streams that are pulled into a room. May import: zod, core, ./pieces.

import { z } from 'zod';
import { pullTransports } from '#core/streaming-in.ts';
import { progressSchema, verdictSchema } from './jobs.ts';
import { count, itemId, ingressLatency as latency, page, pageQueryOf, roomParams, shortText, time } from './pieces.ts';

export const streamingInParams = z.object({ room: roomParams.shape.room, streamingIn: itemId });

const wish = z
  .union([z.literal('auto'), z.boolean()], { error: 'expected "auto", true or false' })
  .meta({ description: 'auto takes it if there is any; true fails without it; false leaves it out.' });

const settings = {
  name: shortText.meta({ description: 'Shown in the room as the name of the participant.' }),
  transport: z.enum(pullTransports).meta({ description: 'Of RTSP: auto is TCP, and UDP where there is no TCP.' }),
  videoCodec: z
    .enum(['auto', 'h264', 'vp8'])
    .meta({ description: 'auto forwards what browsers can show and makes H264 of the rest.' }),
  startTimeoutMs: z.int().min(500).max(120_000).meta({ description: 'For one attempt to connect.' }),
  stallTimeoutMs: z.int().min(500).max(600_000).meta({ description: 'Connects again after so long without media.' }),
  onDemand: z.boolean().meta({ description: 'Pulls only while somebody is in the room or asks to play it (WHEP).' }),
  isEnabled: z.boolean().meta({ description: 'false keeps it, but stopped.' }),
  loop: z.boolean().meta({ description: 'What has an end, such as a file, is played again and again.' }),
  maxHeight: z
    .int()
    .min(64)
    .max(8_192)
    .meta({ description: 'Of HLS with several qualities: the best of no more lines; 1080 unless said.' }),
  maxBitrateBps: z.int().min(1_000).max(1_000_000_000).meta({ description: 'The same, by bits per second.' }),
  hardware: z.enum(['nvenc', 'qsv', 'vaapi']).meta({
    description: 'Encoder to use where the picture is transcoded; software where there is none, as the verdict says.',
  }),
};

const url = z
  .string()
  .min(1, 'is missing')
  .max(2_048)
  .meta({
    description: 'With user and password if it needs them.',
    examples: ['rtsp://user:pass@camera.example/main', 'https://example.com/live.m3u8', 'file:///intro.mp4'],
  });

const happening = z.object({
  state: z.enum(['stopped', 'starting', 'live', 'stalled', 'reconnecting', 'failed']),
  reason: z.string().meta({ description: 'For programs.', examples: ['media_flowing', 'source_refused'] }),
  message: z.string().meta({ description: 'For people.' }),
});

export const streamingInSchema = z
  .object({
    id: z.string(),
    roomId: z.string(),
    url: z.string().meta({ description: 'Without user, password and the values of its query.' }),
    ...settings,
    maxHeight: settings.maxHeight.nullable(),
    maxBitrateBps: settings.maxBitrateBps.nullable(),
    hardware: settings.hardware.nullable(),
    latency: latency.nullable(),
    media: z.object({ audio: wish, video: wish }),
    createdAt: time,
    ...happening.shape,
    since: time.meta({ description: 'In this state since.' }),
    nextAttemptAt: time.nullable(),
    lastError: happening
      .extend({ at: time })
      .nullable()
      .meta({ description: 'What went wrong last, also when all is well again.' }),
    participantId: z.string().nullable(),
    streams: z.array(z.string()).readonly().meta({ description: 'What it publishes in the room, by id.' }),
    jobId: z.string().nullable(),
    restarts: count.meta({ description: 'How often its media worker was lost.' }),
    verdicts: z.array(verdictSchema).readonly(),
    progress: progressSchema.nullable(),
  })
  .meta({ id: 'StreamingIn' });

export const streamingInQuery = pageQueryOf('IN_').extend({ state: streamingInSchema.shape.state.optional() });
export const streamingInList = page(streamingInSchema).meta({ id: 'StreamingInList' });

export const streamingInInput = z
  .strictObject({
    url,
    name: settings.name.optional(),
    media: z.strictObject({ audio: wish.default('auto'), video: wish.default('auto') }).prefault({}),
    transport: settings.transport.default('auto'),
    videoCodec: settings.videoCodec.default('auto'),
    startTimeoutMs: settings.startTimeoutMs.default(15_000),
    stallTimeoutMs: settings.stallTimeoutMs.default(5_000),
    onDemand: settings.onDemand.default(false),
    isEnabled: settings.isEnabled.default(true),
    loop: settings.loop.default(false),
    maxHeight: settings.maxHeight.optional(),
    maxBitrateBps: settings.maxBitrateBps.optional(),
    hardware: settings.hardware.optional(),
    latency: latency.optional(),
  })
  .meta({ id: 'StreamingInInput' });

export const streamingInPatch = z
  .strictObject({
    url: url.optional(),
    name: settings.name.optional(),
    media: z.strictObject({ audio: wish.optional(), video: wish.optional() }).optional(),
    transport: settings.transport.optional(),
    videoCodec: settings.videoCodec.optional(),
    startTimeoutMs: settings.startTimeoutMs.optional(),
    stallTimeoutMs: settings.stallTimeoutMs.optional(),
    onDemand: settings.onDemand.optional(),
    isEnabled: settings.isEnabled.optional(),
    loop: settings.loop.optional(),
    maxHeight: settings.maxHeight.nullish(),
    maxBitrateBps: settings.maxBitrateBps.nullish(),
    hardware: settings.hardware.nullish(),
    latency: latency.nullish(),
  })
  .meta({
    id: 'StreamingInPatch',
    description:
      'JSON merge patch (RFC 7396): null is as if it had never been said. A stream that runs is ended and begun again.',
  });

export const waitQuery = z.object({
  wait: z.coerce
    .number()
    .min(0)
    .max(60)
    .default(0)
    .meta({ description: 'Seconds to wait until it is live or has failed.' }),
});

export type StreamingInResource = z.output<typeof streamingInSchema>;
export type StreamingInInput = z.input<typeof streamingInInput>;
export type StreamingInPatch = z.input<typeof streamingInPatch>;
