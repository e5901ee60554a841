// Owns: the shape of what src/core/video-leg-media.ts describes, as it crosses between processes. Part of protocol.ts.
import { z } from 'zod';
import { srtpSuites } from '#core/leg-media.ts';
import { videoLegCodecs } from '#core/video-leg-media.ts';

const legId = z.int().positive();
const port = z.int().min(1).max(65_535);
const payloadType = z.int().min(0).max(127);
const address = z.string().min(2).max(64);
const key = z.string().max(64);
const uint32 = z.int().min(0).max(0xffffffff);
const codec = z.enum(videoLegCodecs);

const format = z.object({ codec, payloadType, packetizationMode: z.literal([0, 1]) });

const parameters = z.object({
  remoteAddress: address,
  remotePort: port,
  remoteRtcpPort: port.optional(),
  direction: z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive']),
  send: format,
  receive: z.array(format).max(16).readonly(),
  parameterSets: z.array(z.string().max(1_024)).max(16).readonly(),
  feedback: z.object({ pli: z.boolean(), fir: z.boolean(), nack: z.boolean() }),
  srtp: z.object({ suite: z.enum(srtpSuites), sendKey: key, receiveKey: key }).optional(),
});

const standing = z.object({
  isTaken: z.boolean(),
  stream: z.object({ ssrc: uint32, payloadType, codec }).optional(),
});

const side = z.number().min(0).max(65_535);

const stats = z.object({
  width: side.optional(),
  height: side.optional(),
  packetsReceived: z.number(),
  bytesReceived: z.number(),
  packetsLost: z.number(),
  jitterMs: z.number(),
  framesReceived: z.number(),
  keyFramesReceived: z.number(),
  packetsSent: z.number(),
  bytesSent: z.number(),
  framesSent: z.number(),
  keyFramesSent: z.number(),
  remotePacketsLost: z.number(),
  roundTripTimeMs: z.number().optional(),
  keyFramesWanted: z.number(),
  keyFramesAsked: z.number(),
  packetsRejected: z.number(),
});

export const videoLegCommands = [
  z.object({
    type: z.literal('openVideo'),
    legId,
    address,
    port,
    ssrc: uint32,
    cname: z.string().min(1).max(64),
    receiveIndex: z.int().optional(),
  }),
  z.object({ type: z.literal('negotiateVideo'), legId, parameters }),
  z.object({ type: z.literal('setVideo'), legId, standing }),
  z.object({ type: z.literal('closeVideo'), legId }),
] as const;

export const videoLegEvents = [
  z.object({ type: z.literal('videoOpened'), legId }),
  z.object({ type: z.literal('videoRefused'), legId, message: z.string().max(500) }),
  z.object({ type: z.literal('videoKeyFrameWanted'), legId }),
  z.object({ type: z.literal('videoKeyFrameAsked'), legId }),
  z.object({ type: z.literal('videoReport'), legId, stats, receiveIndex: z.int().optional() }),
] as const;
