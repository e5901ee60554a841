// Owns: the shape of what src/core/egress-messages.ts describes, as it crosses between processes. Part of protocol.ts.
import { z } from 'zod';
import { detectorNames } from '#core/analysis-messages.ts';
import { egressSinkStates, recodedCodecs } from '#core/egress-messages.ts';
import { jobReasons } from '#core/job.ts';
import { recordFormats } from '#core/record-sink.ts';
import { streamTimeline } from './timeline-protocol.ts';

const sinkId = z.int().positive();

const input = z.object({
  ssrc: z.int().min(0).max(0xffffffff),
  payloadType: z.int().min(0).max(127),
  codec: z.string().min(1).max(32),
  clockRateHz: z.int().positive(),
  channels: z.int().min(1).max(8),
  timeline: streamTimeline.optional(),
});

const media = z.object({ input: input.optional(), delayMs: z.number().min(0).max(10_000).optional() });

const pushSink = z.object({
  type: z.literal('push'),
  protocol: z.string().max(32),
  options: z.record(z.string(), z.unknown()),
  audioCodec: z.enum(['aac', 'opus']),
  recode: z
    .object({
      codec: z.enum(recodedCodecs),
      bitrateBps: z.number().positive(),
      framerateHz: z.number().min(1).max(240),
    })
    .optional(),
  hasFallback: z.boolean().optional(),
});

const liveSink = z.object({
  type: z.literal('live'),
  feed: z.int().positive().max(0xffffffff),
  keyFrameIntervalMs: z.number().min(500),
  needsVideo: z.boolean(),
});

const payloadType = z.int().min(0).max(127);
const playSink = z.object({
  type: z.literal('play'),
  feed: z.int().positive().max(0xffffffff),
  audioCodec: z.enum(['aac', 'opus']),
  payloadTypes: z.object({ video: payloadType, audio: payloadType }),
});

const recordSink = z.object({
  type: z.literal('record'),
  folder: z.string().max(4_096),
  format: z.enum(recordFormats),
  audioCodec: z.enum(['aac', 'opus']),
  needsVideo: z.boolean(),
  segmentMs: z.number().positive().optional(),
  segmentBytes: z.number().positive().optional(),
});

const duration = z.number().min(0).max(3_600_000);
const analysisSink = z.object({
  type: z.literal('analyse'),
  framerateHz: z.number().min(0.5).max(30),
  detectors: z.object({
    black: z.object({ minDurationMs: duration, darkness: z.number(), share: z.number() }).optional(),
    freeze: z.object({ minDurationMs: duration, noise: z.number() }).optional(),
    scene: z.object({ threshold: z.number() }).optional(),
    motion: z.object({ minDifference: z.number(), quietMs: duration }).optional(),
    silence: z.object({ minDurationMs: duration, levelDb: z.number() }).optional(),
    loudness: z.object({ minLufs: z.number().optional(), maxLufs: z.number().optional() }).optional(),
  }),
});

const sink = z.discriminatedUnion('type', [pushSink, liveSink, playSink, recordSink, analysisSink]);

export const analyticsJobSpec = z.object({
  kind: z.literal('analytics'),
  hasPictures: z.boolean(),
  hasSound: z.boolean(),
  startTimeoutMs: z.number().positive().optional(),
});

export const egressJobSpec = z.object({
  kind: z.literal('egress'),
  startTimeoutMs: z.number().positive().optional(),
  originUs: z.int().positive().optional(),
});

export const egressCommand = z.discriminatedUnion('type', [
  z.object({ type: z.literal('setEgressMedia'), audio: media.optional(), video: media.optional() }),
  z.object({ type: z.literal('putEgressSink'), sinkId, sink, isPaused: z.boolean() }),
  z.object({ type: z.literal('dropEgressSink'), sinkId }),
  z.object({ type: z.literal('pauseEgressSink'), sinkId, isPaused: z.boolean() }),
]);

export const egressEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('egressKeyFrameWanted') }),
  z.object({
    type: z.literal('egressSinkChanged'),
    sinkId,
    state: z.enum(egressSinkStates),
    reason: z.enum(jobReasons),
    message: z.string().max(1_000),
  }),
  z.object({
    type: z.literal('egressAnalysed'),
    sinkId,
    findings: z
      .array(
        z.object({
          detector: z.enum(detectorNames),
          phase: z.enum(['begun', 'over', 'moment']),
          atMs: z.number(),
          values: z.record(z.string().max(32), z.number()).readonly(),
        }),
      )
      .max(1_000)
      .readonly(),
    levels: z.object({
      motion: z.number().optional(),
      momentaryLufs: z.number().optional(),
      shortTermLufs: z.number().optional(),
      integratedLufs: z.number().optional(),
      rangeLu: z.number().optional(),
    }),
  }),
  z.object({
    type: z.literal('egressMeasured'),
    sinks: z
      .array(z.object({ sinkId, bytesOut: z.number() }))
      .max(1_000)
      .readonly(),
    streams: z
      .array(
        z.object({
          kind: z.enum(['audio', 'video']),
          codec: z.string(),
          width: z.number().optional(),
          height: z.number().optional(),
        }),
      )
      .max(8)
      .readonly(),
  }),
]);
