// Owns: every message between a browser and the room, version 1. May import: zod and core types; web/ imports this file.
//
// One WebSocket at `/ws`, text frames of JSON, after `join` or `resume`:
//   client  {id, method, data}          -> server  {id, ok: true, data} | {id, ok: false, error}
//   server  {event, seq?, data}         events that can be replayed after a lost socket carry `seq`, from 1, without gaps
import { z } from 'zod';
import type { CloseReason } from '#core/lifecycle.ts';
import type { VideoLayers } from '#core/ports.ts';
import type { WaitReason } from '#core/room-meeting.ts';
import type {
  DtlsParameters,
  IceCandidate,
  IceParameters,
  IceServer,
  SctpParameters,
  SctpStreamParameters,
} from '#core/rtp.ts';
import { formatCodecs, type StreamFormat } from '#core/stream-format.ts';
import { trackSources } from '#core/track.ts';
import { protocolVersion } from './protocol-constants.ts';
import type {
  ChatInfo,
  DataPublicationInfo,
  ErrorInfo,
  JoinResult,
  ParticipantInfo,
  PublicationInfo,
  RoomInfo,
  SubscriptionInfo,
  ViewInputInfo,
  WaitingInfo,
} from './protocol-infos.ts';
import { dtlsParameters, mediaKind, rtpCapabilities, rtpParameters } from './rtp-shapes.ts';
import { viewArrangement } from './view-arrangement.ts';

export type * from './protocol-infos.ts';

// ── Pieces ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const id = z.string().min(1).max(64);
const layers = z.strictObject({
  spatialLayer: z.int().min(0).max(7),
  temporalLayer: z.int().min(0).max(7).optional(),
});

/** What is not said is as the source has it. `resolution`: `x3/4`, `r640x360`, `vga`; `bitrate`: `x0.8` or bit/s. */
const streamFormat = z.strictObject({
  codec: z.enum(formatCodecs).optional(),
  resolution: z.string().max(16).optional(),
  framerate: z.number().optional(),
  bitrate: z.union([z.string().max(8), z.number()]).optional(),
  keyFrameInterval: z.number().optional(),
});

/** Base64 of at most `maxAvatarBytes`. */
const avatarImage = z.base64().max(174_764);

const ids = z.array(id).min(1).max(500);

// ── What a client may ask ──────────────────────────────────────────────────────────────────────────────────────────

/** `data` of each method. */
export const requestSchemas = {
  /** First message of a new session. */
  join: z.strictObject({
    protocol: z.literal(protocolVersion),
    room: z.string().min(1).max(64),
    token: z.string().min(1).max(8192),
    /** What others see; the token's name if absent. */
    displayName: z.string().trim().min(1).max(128).optional(),
    /** Whoever joins has agreed to being recorded; asked for by `consent_required`. */
    hasConsented: z.boolean().optional(),
  }),
  /** First message on a new socket of a session that lost its own. */
  resume: z.strictObject({ ticket: z.string().min(1).max(128), lastSeq: z.int().min(0) }),
  leave: z.strictObject({}),
  /** `rtpCapabilities`: what this browser decodes; needed before the first `subscribe`. */
  createTransport: z.strictObject({
    direction: z.enum(['send', 'recv']),
    rtpCapabilities: rtpCapabilities.optional(),
    hasData: z.boolean().optional(),
  }),
  connectTransport: z.strictObject({ transportId: id, dtlsParameters }),
  restartIce: z.strictObject({ transportId: id }),
  closeTransport: z.strictObject({ transportId: id }),
  publish: z.strictObject({
    transportId: id,
    kind: mediaKind,
    source: z.enum(trackSources),
    label: z.string().max(128).optional(),
    isMuted: z.boolean().optional(),
    rtpParameters,
    /** After `restart`: the id that the publication had, to keep it. */
    publicationId: id.optional(),
  }),
  unpublish: z.strictObject({ publicationId: id }),
  /** The owner's own mute. */
  setMuted: z.strictObject({ publicationId: id, isMuted: z.boolean() }),
  /** Many at once, in one round trip. They start paused: resume them once the browser can decode. */
  subscribe: z.strictObject({ transportId: id, publicationIds: ids }),
  unsubscribe: z.strictObject({ subscriptionIds: ids }),
  /** The room as one picture: answers with the publication to subscribe to. Ask again when that has ended. */
  openView: z.strictObject({ view: z.string().min(1).max(64) }),
  closeView: z.strictObject({ view: z.string().min(1).max(64) }),
  /** Moderators: what is named changes for everybody who watches; the look stays, places last while who has them is there. */
  arrangeView: viewArrangement.extend({ view: z.string().min(1).max(64) }),
  /** Somebody's video in another format: answers with the publication to subscribe to. Ask again when that has ended. */
  openTranscoded: z.strictObject({ publicationId: id, format: streamFormat }),
  /** Of that publication, live; the subscription stays, and on an error what was goes on. */
  changeTranscoded: z.strictObject({ publicationId: id, format: streamFormat }),
  closeTranscoded: z.strictObject({ publicationId: id }),
  resumeSubscriptions: z.strictObject({ subscriptionIds: ids }),
  pauseSubscriptions: z.strictObject({ subscriptionIds: ids }),
  setLayers: z.strictObject({ subscriptionId: id, layers }),
  /**
   * Of somebody's video, live: another codec, size, rate or bitrate; null for what its publisher sends. The subscription
   * stays, and on an error what was goes on. `subscriptionRedirected` comes before the answer where it has another consumer.
   */
  setFormat: z.strictObject({ subscriptionId: id, format: streamFormat.nullable() }),
  /** 1..255; bandwidth goes to the higher ones first. */
  setPriority: z.strictObject({ subscriptionId: id, priority: z.int().min(1).max(255) }),
  /** Pinned videos are not held back by last-N. */
  setPinned: z.strictObject({ subscriptionId: id, isPinned: z.boolean() }),
  requestKeyFrame: z.strictObject({ subscriptionId: id }),
  publishData: z.strictObject({
    transportId: id,
    label: z.string().max(128),
    protocol: z.string().max(128),
    sctpStreamParameters: z.strictObject({
      streamId: z.int().min(0).max(65534),
      ordered: z.boolean().optional(),
      maxPacketLifeTime: z.int().min(0).max(60_000).optional(),
      maxRetransmits: z.int().min(0).max(1_000).optional(),
    }),
  }),
  unpublishData: z.strictObject({ publicationId: id }),
  subscribeData: z.strictObject({ transportId: id, publicationId: id }),
  unsubscribeData: z.strictObject({ subscriptionId: id }),
  chat: z.strictObject({ to: z.union([z.literal('all'), id]), text: z.string().max(4_000) }),
  raiseHand: z.strictObject({ isRaised: z.boolean() }),
  setDisplayName: z.strictObject({ displayName: z.string().trim().min(1).max(128) }),
  setAttributes: z.strictObject({
    attributes: z
      .record(z.string().max(64), z.string().max(1_024))
      .refine((bag) => Object.keys(bag).length <= 32, 'at most 32 attributes'),
  }),
  /** One's own: PNG or JPEG in base64; null takes it away. */
  setAvatar: z.strictObject({ image: avatarImage.nullable() }),
  /** Moderators: mutes or unmutes all publications of that source, or all audio when no source is given. */
  muteParticipant: z.strictObject({ participantId: id, isMuted: z.boolean(), source: z.enum(trackSources).optional() }),
  kickParticipant: z.strictObject({ participantId: id }),
  setRole: z.strictObject({ participantId: id, role: z.string().min(1).max(64) }),
  lowerHand: z.strictObject({ participantId: id }),
  /** Moderators: lets in who waits; all who wait for a moderator's word when nobody is named. */
  admit: z.strictObject({ waitingId: id.optional() }),
  deny: z.strictObject({ waitingId: id }),
  /** Moderators: nobody comes in any more; who comes waits for a moderator's word. */
  setDoor: z.strictObject({ isLocked: z.boolean().optional(), hasWaitingRoom: z.boolean().optional() }),
  ping: z.strictObject({}),
} as const satisfies Record<string, z.ZodType>;

export type Method = keyof typeof requestSchemas;
export type RequestData<M extends Method> = z.input<(typeof requestSchemas)[M]>;

export const requestEnvelope = z.strictObject({
  id: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  method: z.string().max(64),
  data: z.unknown(),
});

// ── What it gets ───────────────────────────────────────────────────────────────────────────────────────────────────

/** `data` of a successful response. */
export interface ResultMap {
  join: JoinResult;
  /** Missed events follow right after. `hasMedia`: the transports are still there; make all media again otherwise. */
  resume: { readonly ticket: string; readonly missed: number; readonly hasMedia: boolean };
  leave: Record<string, never>;
  createTransport: {
    readonly id: string;
    readonly iceParameters: IceParameters;
    readonly iceCandidates: readonly IceCandidate[];
    readonly dtlsParameters: DtlsParameters;
    readonly sctpParameters: SctpParameters | undefined;
    readonly iceServers: readonly IceServer[];
  };
  connectTransport: Record<string, never>;
  restartIce: { readonly iceParameters: IceParameters };
  closeTransport: Record<string, never>;
  publish: { readonly publicationId: string; readonly producerId: string };
  unpublish: Record<string, never>;
  setMuted: Record<string, never>;
  subscribe: {
    readonly subscriptions: readonly SubscriptionInfo[];
    readonly failed: readonly { readonly publicationId: string; readonly error: ErrorInfo }[];
  };
  unsubscribe: Record<string, never>;
  openView: { readonly publication: PublicationInfo };
  closeView: Record<string, never>;
  arrangeView: Record<string, never>;
  openTranscoded: { readonly publication: PublicationInfo };
  changeTranscoded: Record<string, never>;
  closeTranscoded: Record<string, never>;
  resumeSubscriptions: Record<string, never>;
  pauseSubscriptions: Record<string, never>;
  setLayers: Record<string, never>;
  setFormat: Record<string, never>;
  setPriority: Record<string, never>;
  setPinned: Record<string, never>;
  requestKeyFrame: Record<string, never>;
  publishData: { readonly publicationId: string; readonly dataProducerId: string };
  unpublishData: Record<string, never>;
  subscribeData: {
    readonly subscriptionId: string;
    readonly publicationId: string;
    readonly dataProducerId: string;
    readonly dataConsumerId: string;
    readonly label: string;
    readonly protocol: string;
    readonly sctpStreamParameters: SctpStreamParameters | undefined;
  };
  unsubscribeData: Record<string, never>;
  chat: { readonly messageId: string };
  raiseHand: Record<string, never>;
  setDisplayName: Record<string, never>;
  setAttributes: Record<string, never>;
  setAvatar: Record<string, never>;
  muteParticipant: { readonly changed: number };
  kickParticipant: Record<string, never>;
  setRole: Record<string, never>;
  lowerHand: Record<string, never>;
  admit: { readonly admittedCount: number };
  deny: Record<string, never>;
  setDoor: Record<string, never>;
  ping: { readonly serverTimeMs: number };
}

// ── What it is told ────────────────────────────────────────────────────────────────────────────────────────────────

export interface EventMap {
  participantJoined: { readonly participant: ParticipantInfo };
  participantUpdated: { readonly participant: ParticipantInfo };
  participantLeft: { readonly participantId: string; readonly reason: CloseReason };
  publicationAdded: { readonly publication: PublicationInfo };
  publicationUpdated: { readonly publication: PublicationInfo };
  publicationRemoved: { readonly publicationId: string; readonly participantId: string; readonly reason: CloseReason };
  dataPublicationAdded: { readonly publication: DataPublicationInfo };
  dataPublicationRemoved: { readonly publicationId: string; readonly participantId: string };
  /** To the publisher: stop sending while nobody watches, start again when somebody does. */
  publicationWatched: { readonly publicationId: string; readonly isWatched: boolean };
  /** To the subscriber. `isHeldBack`: last-N has put it aside. */
  subscriptionUpdated: {
    readonly subscriptionId: string;
    readonly isHeldBack: boolean;
    readonly currentLayers: VideoLayers | null;
    readonly score: number | undefined;
    /** What was asked for; null for what its publisher sends. */
    readonly format: StreamFormat | null;
  };
  /** It goes on with another consumer, which is paused: consume it, resume the subscription; the past one goes on till then. */
  subscriptionRedirected: { readonly subscription: SubscriptionInfo };
  subscriptionEnded: { readonly subscriptionId: string; readonly reason: CloseReason };
  dataSubscriptionEnded: { readonly subscriptionId: string };
  activeSpeaker: { readonly participantId: string | null };
  /** To who has opened a view: who is seen where in it, in pixels; those who wait have no place. */
  viewArranged: {
    readonly view: string;
    readonly width: number;
    readonly height: number;
    readonly inputs: readonly ViewInputInfo[];
  };
  chat: ChatInfo;
  /** A phone in the room pressed a key: `0`-`9`, `*`, `#`, `A`-`D`. */
  digitPressed: { readonly participantId: string; readonly digit: string };
  roomUpdated: { readonly room: RoomInfo };
  /** Before the answer to `join`: it comes once one may come in. */
  waiting: {
    readonly reason: WaitReason;
    readonly message: string;
    readonly position: number;
    readonly count: number;
    /** Epoch milliseconds. */
    readonly startsAtMs: number | null;
  };
  /** To moderators: everybody who waits, next one first. */
  lobby: { readonly waiting: readonly WaitingInfo[] };
  /** The media worker died: make transports, publications and subscriptions again, now. */
  restart: Record<string, never>;
  /** The server is going away and will close this session at the latest then; null: it stays after all. */
  draining: { readonly closesInMs: number | null };
  /** Last message of a session; the socket closes after it. */
  closed: { readonly reason: CloseReason; readonly message: string };
  /** Transient, without `seq`: dBov -127..0, loudest first; empty when all fall silent. */
  levels: {
    readonly levels: readonly {
      readonly participantId: string;
      readonly publicationId: string;
      readonly levelDbov: number;
    }[];
  };
  /** Transient: what the server believes this client can receive, bit/s. */
  bandwidth: { readonly availableOutgoingBps: number };
}

export type EventName = keyof EventMap;

export type ServerMessage =
  | { readonly id: number; readonly ok: true; readonly data: unknown }
  | { readonly id: number | null; readonly ok: false; readonly error: ErrorInfo }
  | { [E in EventName]: { readonly event: E; readonly seq?: number; readonly data: EventMap[E] } }[EventName];
