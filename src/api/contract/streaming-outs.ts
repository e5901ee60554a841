// Owns: streams that leave a room. May import: zod, core, ./pieces.
import { z } from 'zod';
import { recodedCodecs } from '#core/egress-messages.ts';
import { progressSchema } from './jobs.ts';
import { mediaSource } from './media-source.ts';
import { count, itemId, page, pageQueryOf, roomParams, shortText, time } from './pieces.ts';

export const streamingOutParams = z.object({ room: roomParams.shape.room, streamingOut: itemId });

const name = shortText.meta({ description: 'For people who look at lists.' });

const source = mediaSource.meta({ description: 'What goes out.', examples: [{ view: 'common' }] });

const media = { audio: z.boolean(), video: z.boolean() };

const side = (most: number) => z.int().min(64).max(most).multipleOf(2);
const video = {
  width: side(4_096).meta({ description: 'Of the source when absent.' }),
  height: side(2_160),
  framerateHz: z.number().min(1).max(60),
  bitrateBps: z.int().min(10_000).max(100_000_000).meta({ description: 'By size when absent.' }),
  profile: z.enum(['baseline', 'main', 'high']),
};
const keyFrameIntervalS = z.number().min(0.5).max(30).meta({ description: 'What most services ask for is 2.' });

const videoCodec = z.enum(['h264', ...recodedCodecs]).meta({
  description: 'Others than H264 cost an encoder more, and go to targets that take them: enhanced RTMP, SRT, files.',
});
const hasFallback = z.boolean().meta({
  description:
    'A target that does not say that it takes these codecs gets H264 and AAC; false: nothing, and is told why.',
});
const audioCodec = z.enum(['aac', 'opus']).meta({ description: 'Opus only for targets that take it.' });
const transport = z.enum(['tcp', 'udp']).meta({ description: 'Of RTSP targets.' });
const segments = {
  method: z.enum(['PUT', 'POST']),
  durationS: z.number().min(1).max(30).meta({ description: 'Least length of one; it ends with the next key picture.' }),
  count: z.int().min(2).max(1_000).meta({ description: 'In the playlist; as many again are kept.' }),
};

const isEnabled = z.boolean().meta({ description: 'false keeps it, but stopped.' });

const url = z
  .string()
  .min(1, 'is missing')
  .max(2_048)
  .meta({
    description: 'With its key, or user and password.',
    examples: [
      'rtmps://live.example/app/key',
      'rtsp://user:pass@server.example/room',
      'srt://host:9000?streamid=key',
      'https://origin.example/live/index.m3u8',
    ],
  });
const urls = z.array(url).min(1, 'names no target').max(16);
const targetIds = z.array(z.string().min(1).max(64)).max(16);

const happening = z.object({
  state: z.enum(['stopped', 'starting', 'live', 'reconnecting', 'paused', 'failed']),
  reason: z.string().meta({ description: 'For programs.', examples: ['media_flowing', 'target_lost'] }),
  message: z.string().meta({ description: 'For people.' }),
});

const target = z.object({
  id: z.string(),
  url: z.string().meta({ description: 'Without key, user, password and the values of its query.' }),
  isPaused: z.boolean(),
  ...happening.shape,
  since: time.meta({ description: 'In this state since.' }),
  bytesOut: count,
});

export const streamingOutSchema = z
  .object({
    id: z.string(),
    roomId: z.string(),
    name,
    source,
    media: z.object(media),
    audioCodec,
    hasFallback,
    video: z.object({
      codec: videoCodec,
      width: video.width.nullable(),
      height: video.height.nullable(),
      framerateHz: video.framerateHz.nullable(),
      bitrateBps: video.bitrateBps.nullable(),
      profile: video.profile.nullable(),
      keyFrameIntervalS,
    }),
    transport,
    segments: z.object(segments).meta({ description: 'Of HLS and DASH targets, which take files.' }),
    isEnabled,
    createdAt: time,
    ...happening.shape,
    since: time.meta({ description: 'In this state since.' }),
    lastError: happening
      .extend({ at: time })
      .nullable()
      .meta({ description: 'What went wrong last, also when all is well again.' }),
    targets: z.array(target).readonly(),
    streams: z
      .array(z.object({ kind: z.string(), codec: z.string(), width: count.nullable(), height: count.nullable() }))
      .readonly()
      .meta({ description: 'The pictures that go out, as far as they have been seen.' }),
    jobId: z.string().nullable(),
    restarts: count.meta({ description: 'How often its media worker was lost.' }),
    progress: progressSchema.nullable(),
  })
  .meta({ id: 'StreamingOut' });

export const streamingOutQuery = pageQueryOf('EG_').extend({ state: streamingOutSchema.shape.state.optional() });
export const streamingOutList = page(streamingOutSchema).meta({ id: 'StreamingOutList' });

export const streamingOutInput = z
  .strictObject({
    url: url.optional().meta({ description: 'One target; give this or `urls`.' }),
    urls: urls.optional().meta({ description: 'Several targets, which share one encode.' }),
    name: name.optional(),
    source: source.default({ view: 'common' }),
    media: z.strictObject({ audio: media.audio.default(true), video: media.video.default(true) }).prefault({}),
    audioCodec: audioCodec.default('aac'),
    hasFallback: hasFallback.default(false),
    video: z
      .strictObject({
        codec: videoCodec.default('h264'),
        width: video.width.optional(),
        height: video.height.optional(),
        framerateHz: video.framerateHz.optional(),
        bitrateBps: video.bitrateBps.optional(),
        profile: video.profile.optional(),
        keyFrameIntervalS: keyFrameIntervalS.default(2),
      })
      .prefault({}),
    transport: transport.default('tcp'),
    segments: z
      .strictObject({
        method: segments.method.default('PUT'),
        durationS: segments.durationS.default(2),
        count: segments.count.default(6),
      })
      .prefault({}),
    isEnabled: isEnabled.default(true),
  })
  .meta({ id: 'StreamingOutInput' });

export const streamingOutPatch = z
  .strictObject({
    name: name.optional(),
    source: source.optional().meta({ description: 'Switches live: targets see no interruption.' }),
    media: z.strictObject({ audio: media.audio.optional(), video: media.video.optional() }).optional(),
    audioCodec: audioCodec.optional(),
    hasFallback: hasFallback.optional(),
    video: z
      .strictObject({
        codec: videoCodec.optional(),
        width: video.width.nullish(),
        height: video.height.nullish(),
        framerateHz: video.framerateHz.nullish(),
        bitrateBps: video.bitrateBps.nullish(),
        profile: video.profile.nullish(),
        keyFrameIntervalS: keyFrameIntervalS.optional(),
      })
      .optional(),
    transport: transport.optional(),
    segments: z
      .strictObject({
        method: segments.method.optional(),
        durationS: segments.durationS.optional(),
        count: segments.count.optional(),
      })
      .optional(),
    isEnabled: isEnabled.optional(),
    isPaused: z.boolean().optional().meta({ description: 'Of all targets: leaves them, and comes back.' }),
    addUrls: urls.optional(),
    removeTargets: targetIds.optional().meta({ description: 'By id.' }),
    pauseTargets: targetIds.optional(),
    resumeTargets: targetIds.optional(),
  })
  .meta({
    id: 'StreamingOutPatch',
    description: 'JSON merge patch (RFC 7396): null is as if it had never been said. Targets that stay go on.',
  });

export type StreamingOutResource = z.output<typeof streamingOutSchema>;
export type StreamingOutInput = z.input<typeof streamingOutInput>;
export type StreamingOutPatch = z.input<typeof streamingOutPatch>;
