// Owns: the shapes of RTP and DTLS in requests of browsers. May import: zod; web/ imports this file.
import { z } from 'zod';

const shortText = z.string().max(256);
export const mediaKind = z.enum(['audio', 'video']);
const parameterBag = z.record(z.string().max(64), z.unknown());
const rtcpFeedback = z.array(z.object({ type: shortText, parameter: shortText.optional() })).max(16);

/** Shapes only: mediasoup decides what the numbers mean, and refuses what does not fit. */
export const rtpParameters = z.object({
  mid: z.string().max(32).optional(),
  codecs: z
    .array(
      z.object({
        mimeType: shortText,
        payloadType: z.int().min(0).max(127),
        clockRate: z.int().positive(),
        channels: z.int().positive().max(255).optional(),
        parameters: parameterBag.optional(),
        rtcpFeedback: rtcpFeedback.optional(),
      }),
    )
    .min(1)
    .max(32),
  headerExtensions: z
    .array(
      z.object({
        uri: shortText,
        id: z.int().min(1).max(255),
        encrypt: z.boolean().optional(),
        parameters: parameterBag.optional(),
      }),
    )
    .max(32)
    .optional(),
  encodings: z
    .array(
      z.object({
        ssrc: z.int().min(0).max(0xffffffff).optional(),
        rid: z.string().max(16).optional(),
        codecPayloadType: z.int().min(0).max(127).optional(),
        rtx: z.object({ ssrc: z.int().min(0).max(0xffffffff) }).optional(),
        dtx: z.boolean().optional(),
        scalabilityMode: z.string().max(16).optional(),
        maxBitrate: z.int().positive().optional(),
      }),
    )
    .max(8)
    .optional(),
  rtcp: z.object({ cname: shortText.optional(), reducedSize: z.boolean().optional() }).optional(),
  msid: shortText.optional(),
});

export const rtpCapabilities = z.object({
  codecs: z
    .array(
      z.object({
        kind: mediaKind,
        mimeType: shortText,
        preferredPayloadType: z.int().min(0).max(127),
        clockRate: z.int().positive(),
        channels: z.int().positive().max(255).optional(),
        parameters: parameterBag.optional(),
        rtcpFeedback: rtcpFeedback.optional(),
      }),
    )
    .max(128)
    .optional(),
  headerExtensions: z
    .array(
      z.object({
        kind: mediaKind,
        uri: shortText,
        preferredId: z.int().min(1).max(255),
        preferredEncrypt: z.boolean().optional(),
        direction: z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive']).optional(),
      }),
    )
    .max(64)
    .optional(),
});

export const dtlsParameters = z.object({
  role: z.enum(['auto', 'client', 'server']).optional(),
  fingerprints: z
    .array(z.object({ algorithm: z.string().max(16), value: z.string().max(256) }))
    .min(1)
    .max(8),
});
