// Owns: the shape of what src/core/mix-messages.ts describes, as it crosses between processes. Part of protocol.ts.
import { z } from 'zod';
import { legCodecs, promptLanguages, promptNamePattern, srtpSuites } from '#core/leg-media.ts';
import { tapSounds } from '#core/mix-messages.ts';
import { streamTimeline } from './timeline-protocol.ts';
import { videoLegCommands, videoLegEvents } from './video-leg-protocol.ts';

const legId = z.int().positive();
const port = z.int().min(1).max(65_535);
const payloadType = z.int().min(0).max(127);
const address = z.string().min(2).max(64);
const codec = z.enum(legCodecs);
const key = z.string().max(64);
const uint32 = z.int().min(0).max(0xffffffff);

const dtmf = z.object({ payloadType, clockRateHz: z.int().positive() });

const standing = z.object({
  isInMix: z.boolean(),
  isMuted: z.boolean(),
  isHeld: z.boolean(),
  isHeldByPeer: z.boolean(),
  gainDb: z.number().min(-40).max(20),
  voice: z.enum(['off', 'speaking', 'always']),
  tap: z.enum(tapSounds).optional(),
  far: z.object({ roundTripTimeMs: z.number().optional(), packetsLost: z.number(), jitterMs: z.number() }).optional(),
});

const position = z.object({
  sequenceIndex: z.int().nonnegative(),
  rtpTimestamp: uint32,
  clockUs: z.number(),
  rtcpIndex: z.int().nonnegative(),
  receiveIndex: z.int().optional(),
  latched: z.object({ address, port }).optional(),
});

const parameters = z.object({
  remoteAddress: address,
  remotePort: port,
  remoteRtcpPort: port.optional(),
  direction: z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive']),
  send: z.object({
    codec,
    payloadType,
    ptimeMs: z.int().min(10).max(60),
    dtmf: dtmf.optional(),
    comfortNoisePayloadType: payloadType.optional(),
  }),
  receive: z.object({
    codecs: z.array(z.object({ codec, payloadType })).max(16).readonly(),
    dtmf: z.array(dtmf).max(8).readonly(),
    comfortNoisePayloadType: payloadType.optional(),
  }),
  srtp: z.object({ suite: z.enum(srtpSuites), sendKey: key, receiveKey: key }).optional(),
});

export const mixJobSpec = z.object({
  kind: z.literal('mix'),
  loudest: z.int().min(1).max(1_000),
  promptsFolder: z.string().optional(),
  startTimeoutMs: z.number().positive().optional(),
});

const spokenPrompt = z.object({
  name: z.string().regex(promptNamePattern),
  language: z.enum(promptLanguages).optional(),
});

export const mixCommand = z.discriminatedUnion('type', [
  ...videoLegCommands,
  z.object({
    type: z.literal('openLeg'),
    legId,
    address,
    port,
    ssrc: uint32,
    standing,
    position: position.optional(),
    timeoutMs: z.number().positive(),
  }),
  z.object({ type: z.literal('negotiateLeg'), legId, parameters }),
  z.object({ type: z.literal('setLeg'), legId, standing }),
  z.object({
    type: z.literal('playToLeg'),
    legId,
    playId: z.int(),
    prompts: z.array(spokenPrompt).min(1).max(16).readonly(),
    language: z.string().regex(/^[a-z]{2,8}$/),
    isRepeated: z.boolean(),
  }),
  z.object({ type: z.literal('stopPlaying'), legId }),
  z.object({
    type: z.literal('sendDtmf'),
    legId,
    digits: z.string().min(1).max(64),
    durationMs: z.number().min(40).max(6_000),
  }),
  z.object({ type: z.literal('closeLeg'), legId, isMoving: z.boolean().optional() }),
  z.object({
    type: z.literal('addInput'),
    inputId: z.int().positive(),
    ssrc: uint32,
    payloadType,
    codec,
    levelExtensionId: z.int().min(1).max(255).optional(),
    timeline: streamTimeline.optional(),
  }),
  z.object({ type: z.literal('removeInput'), inputId: z.int().positive() }),
  z.object({ type: z.literal('setMixTrack'), isOn: z.boolean() }),
]);

const stats = z.object({
  codec: codec.optional(),
  packetsReceived: z.number(),
  packetsSent: z.number(),
  bytesReceived: z.number(),
  bytesSent: z.number(),
  packetsLost: z.number(),
  packetsLate: z.number(),
  framesConcealed: z.number(),
  jitterMs: z.number(),
  bufferMs: z.number(),
  roundTripTimeMs: z.number().optional(),
  remotePacketsLost: z.number(),
  remoteJitterMs: z.number().optional(),
  meanOpinionScore: z.number().optional(),
  packetsRejected: z.number(),
});

export const mixEvent = z.discriminatedUnion('type', [
  ...videoLegEvents,
  z.object({ type: z.literal('legOpened'), legId }),
  z.object({ type: z.literal('legClosed'), legId }),
  z.object({ type: z.literal('legRefused'), legId, message: z.string().max(500) }),
  z.object({ type: z.literal('legLatched'), legId, address, port }),
  z.object({ type: z.literal('legDtmf'), legId, digit: z.string().length(1) }),
  z.object({ type: z.literal('legPlayed'), legId, playId: z.int(), isWhole: z.boolean() }),
  z.object({ type: z.literal('legDtmfSent'), legId }),
  z.object({ type: z.literal('legSilent'), legId }),
  z.object({ type: z.literal('legHeard'), legId }),
  z.object({ type: z.literal('mixInputDelayed'), inputId: z.int().positive(), delayMs: z.number() }),
  z.object({ type: z.literal('legReport'), legId, stats, position }),
]);
