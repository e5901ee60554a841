// Owns: the shape of what src/core/view-messages.ts describes, as it crosses between processes. Part of protocol.ts.
import { z } from 'zod';
import { fitPolicies, layoutBases, maxRegions } from '#core/view-layout.ts';
import { encoderLimits, h264Profiles, viewCodecs } from '#core/view-messages.ts';
import { streamTimeline } from './timeline-protocol.ts';

const inputId = z.int().positive();
const trackId = z.int().min(0).max(0x7fffffff);
const side = z.int().min(encoderLimits.side.least).max(encoderLimits.side.most).multipleOf(2);
const bitrateBps = z.number().min(encoderLimits.bitrateBps.least).max(encoderLimits.bitrateBps.most);
const framerateHz = z.number().min(1).max(60);
const rational = z.string().max(16);

const layout = z.object({
  base: z.enum(layoutBases),
  gridSize: z.int().min(1).max(maxRegions),
  custom: z
    .array(
      z.object({
        region: z
          .array(
            z.object({
              id: z.string().min(1).max(64),
              shape: z.literal('rectangle'),
              area: z.object({ left: rational, top: rational, width: rational, height: rational }),
              fitPolicy: z.enum(fitPolicies).optional(),
            }),
          )
          .min(1)
          .max(maxRegions)
          .readonly(),
      }),
    )
    .max(64)
    .readonly(),
  fitPolicy: z.enum(fitPolicies),
});

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

const look = z.object({
  layout,
  maxInputs: z.int().min(1).max(maxRegions),
  isVoicePrimary: z.boolean(),
  backgroundColor: z.string().regex(/^#[0-9a-f]{6}$/i),
  backgroundImage: bytes.optional(),
  hasLabels: z.boolean(),
  hasSpeakerBorder: z.boolean(),
  transitionMs: z.number().min(0).max(1_000).optional(),
});

const input = z.object({
  inputId,
  name: z.string().max(512),
  isShared: z.boolean(),
  isMuted: z.boolean(),
  stream: z
    .object({
      ssrc: z.int().min(0).max(0xffffffff),
      payloadType: z.int().min(0).max(127),
      codec: z.enum(['vp8', 'vp9', 'h264', 'av1']),
      orientationExtensionId: z.int().min(1).max(255).optional(),
      timeline: streamTimeline.optional(),
    })
    .optional(),
});

const encoderRequest = z.object({
  codec: z.enum(viewCodecs),
  profile: z.enum(h264Profiles),
  width: side,
  height: side,
  framerateHz,
  bitrateBps,
  keyFrameIntervalS: z.number().min(0.5).max(3_600),
  sliceMaxBytes: z.int().min(200).max(65_535).optional(),
});

export const viewJobSpec = z.object({
  kind: z.literal('view'),
  width: side,
  height: side,
  framerateHz,
  startTimeoutMs: z.number().positive().optional(),
});

export const transcodeJobSpec = z.object({
  kind: z.literal('transcode'),
  startTimeoutMs: z.number().positive().optional(),
});

export const viewCommand = z.discriminatedUnion('type', [
  z.object({ type: z.literal('resizeView'), width: side, height: side, framerateHz }),
  z.object({ type: z.literal('lookView'), look, keepsImage: z.boolean().optional() }),
  z.object({ type: z.literal('putViewInput'), input }),
  z.object({ type: z.literal('dropViewInput'), inputId }),
  z.object({ type: z.literal('delayViewInput'), inputId, delayMs: z.number().min(0).max(10_000) }),
  z.object({ type: z.literal('faceViewInput'), inputId, image: bytes.optional() }),
  z.object({ type: z.literal('orderView'), inputIds: z.array(inputId).max(2_000).readonly() }),
  z.object({ type: z.literal('swapView'), inputIds: z.tuple([inputId, inputId]).readonly() }),
  z.object({ type: z.literal('leadView'), inputId }),
  z.object({ type: z.literal('pinView'), inputId: inputId.optional() }),
  z.object({ type: z.literal('speakView'), inputId: inputId.optional() }),
  z.object({ type: z.literal('openViewEncoder'), trackId, request: encoderRequest }),
  z.object({ type: z.literal('changeViewEncoder'), trackId, request: encoderRequest }),
  z.object({ type: z.literal('setViewBitrate'), trackId, bitrateBps }),
  z.object({ type: z.literal('pauseViewEncoder'), trackId, isPaused: z.boolean() }),
  z.object({ type: z.literal('closeViewEncoder'), trackId }),
]);

const encoderStats = z.object({
  codec: z.enum(viewCodecs),
  width: z.number(),
  height: z.number(),
  framerateHz: z.number(),
  bitrateBps: z.number(),
  users: z.number(),
  frames: z.number(),
  keyFrames: z.number(),
  bytes: z.number(),
  longestGapMs: z.number(),
});

const stats = z.object({
  framerateHz: z.number(),
  targetFramerateHz: z.number(),
  msPerTick: z.number(),
  worstTickMs: z.number(),
  ticksSkipped: z.number(),
  inputsSeen: z.number(),
  inputsWaiting: z.number(),
  encoders: z.array(encoderStats).max(1_000).readonly(),
});

const place = z.object({
  inputId,
  regionId: z.string(),
  x: z.number(),
  y: z.number(),
  width: z.number(),
  height: z.number(),
});

export const viewEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('viewArranged'),
    order: z.array(inputId).readonly(),
    places: z.array(place).readonly(),
  }),
  z.object({ type: z.literal('viewInputSized'), inputId, width: z.number(), height: z.number() }),
  z.object({ type: z.literal('viewKeyFrameWanted'), inputId }),
  z.object({ type: z.literal('viewEncoderRefused'), trackId, message: z.string().max(1_000) }),
  z.object({ type: z.literal('viewEncoderChanged'), trackId, message: z.string().max(1_000).optional() }),
  z.object({ type: z.literal('viewMeasured'), stats }),
]);
