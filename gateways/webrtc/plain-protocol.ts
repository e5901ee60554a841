// Owns: the messages of plain SDP clients: JSON objects told apart by `type`, without versions or request ids.
// docs/protocols/plain-sdp.md shows the exchange. May import: core, zod.
import { z } from 'zod';
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { WaitReason } from '#core/room-meeting.ts';
import type { IceServer, MediaKind } from '#core/rtp.ts';
import { type TrackSource, trackSources } from '#core/track.ts';
import { maxSdpLength } from './sdp-parse.ts';

const sdp = z.string().max(maxSdpLength);
const roomId = z.string().min(1).max(64);

/** Objects are loose: clients of many makes send what else they know, and it is left alone. */
export const clientMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('join'),
    roomId,
    token: z.string().min(1).max(8_192),
    /** What others see; the token's name if absent. */
    name: z.string().trim().min(1).max(128).optional(),
    /** Whoever joins has agreed to being recorded; asked for by `consent_required`. */
    hasConsented: z.boolean().optional(),
  }),
  z.object({
    type: z.literal('offer'),
    sdp,
    roomId: roomId.optional(),
    /** What the client sends on an m-line, by mid; else the first video is a camera and the first audio a microphone. */
    sources: z.record(z.string().max(64), z.enum(trackSources)).optional(),
  }),
  z.object({ type: z.literal('answer'), sdp, offerId: z.int().optional() }),
  z.object({ type: z.literal('ice-candidate') }),
  z.object({ type: z.literal('start-screen-share') }),
  z.object({ type: z.literal('stop-screen-share') }),
  z.object({ type: z.literal('update-quality'), quality: z.enum(['low', 'medium', 'high']) }),
  z.object({ type: z.literal('leave') }),
]);

export type ClientMessage = z.output<typeof clientMessage>;
export type ClientMessageOf<Type extends ClientMessage['type']> = Extract<ClientMessage, { type: Type }>;

export interface PlainStream {
  readonly publicationId: string;
  readonly participantId: string;
  readonly displayName: string;
  readonly kind: MediaKind;
  readonly source: TrackSource;
  readonly isMuted: boolean;
}

/** A stream and the m-line on which the client receives it. */
export type MappedStream = PlainStream & { readonly mid: string };

export interface PlainParticipant {
  readonly participantId: string;
  readonly displayName: string;
  readonly streams: readonly PlainStream[];
}

export type OfferReason = 'join' | 'screen-share' | 'restart' | 'connection-lost';

export type ServerMessage =
  /** Before `joined`, which comes once one may come in. */
  | {
      readonly type: 'waiting';
      readonly reason: WaitReason;
      readonly message: string;
      readonly position: number;
      readonly count: number;
    }
  | {
      readonly type: 'joined';
      readonly participantId: string;
      readonly roomId: string;
      readonly roomName: string;
      /** The others. */
      readonly participants: readonly PlainParticipant[];
      readonly iceServers: readonly IceServer[];
    }
  /** Send an `offer`. For `restart` and `connection-lost` from a new RTCPeerConnection: the old one leads nowhere. */
  | { readonly type: 'request-offer'; readonly reason: OfferReason }
  | { readonly type: 'answer'; readonly sdp: string; readonly streams: readonly MappedStream[] }
  | {
      readonly type: 'offer';
      readonly offerId: number;
      readonly sdp: string;
      readonly streams: readonly MappedStream[];
    }
  | { readonly type: 'participant-joined'; readonly participantId: string; readonly displayName: string }
  | { readonly type: 'participant-left'; readonly participantId: string; readonly reason: CloseReason }
  | ({ readonly type: 'stream-added' } & PlainStream)
  | ({ readonly type: 'stream-updated' } & PlainStream)
  | { readonly type: 'stream-removed'; readonly publicationId: string; readonly participantId: string }
  | {
      readonly type: 'error';
      readonly code: ErrorCode;
      readonly message: string;
      /** `type` of the message that it is about. */
      readonly about?: string | undefined;
    };

/** WebSocket close codes, the same numbers as of the signalling protocol (RFC 6455 §7.4.2, private range). */
export const closeCodes = { ended: 4000, notJoined: 4001, tooManyMessages: 4002, serverClosing: 4004 } as const;

/** @throws GatewayError `invalid_request` with what does not fit */
export function parseMessage(text: string): ClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError('invalid_request', 'A message is one JSON object.', { cause });
  }
  const result = clientMessage.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues
    .slice(0, 5)
    .map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  const words = fields.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
  throw new GatewayError('invalid_request', `The message does not fit. ${words}`.slice(0, 500), { fields });
}
