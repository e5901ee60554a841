// Owns: what things look like in messages between a browser and the room. Types only. May import: core types.
import type { ErrorCode, FieldError } from '#core/errors.ts';
import type { RolePermissions } from '#core/grants.ts';
import type { ConnectionQuality, ParticipantKind } from '#core/participant.ts';
import type { WaitReason } from '#core/room-meeting.ts';
import type { IceServer, MediaKind, RtpCapabilities, RtpParameters } from '#core/rtp.ts';
import type { TrackSource } from '#core/track.ts';
import type { protocolVersion } from './protocol-constants.ts';

export interface PublicationInfo {
  readonly id: string;
  readonly participantId: string;
  readonly kind: MediaKind;
  readonly source: TrackSource;
  readonly label: string;
  readonly isMuted: boolean;
  readonly isMutedByModerator: boolean;
  readonly mimeType: string;
  /** Simulcast encodings, 1 for none. */
  readonly encodingCount: number;
}

export interface DataPublicationInfo {
  readonly id: string;
  readonly participantId: string;
  readonly label: string;
  readonly protocol: string;
}

export interface ParticipantInfo {
  readonly id: string;
  readonly kind: ParticipantKind;
  readonly user: string;
  readonly displayName: string;
  readonly role: string;
  readonly permissions: RolePermissions;
  readonly attributes: Readonly<Record<string, string>>;
  /** Another one for another picture, which `GET /api/rooms/{room}/participants/{id}/avatar` has; null: none. */
  readonly avatarId: string | null;
  readonly isHandRaised: boolean;
  readonly isConnected: boolean;
  readonly quality: ConnectionQuality;
  readonly joinedAtMs: number;
  readonly publications: readonly PublicationInfo[];
  readonly dataPublications: readonly DataPublicationInfo[];
}

export interface SubscriptionInfo {
  readonly id: string;
  readonly publicationId: string;
  readonly participantId: string;
  readonly kind: MediaKind;
  readonly type: 'simple' | 'simulcast' | 'svc';
  readonly rtpParameters: RtpParameters;
  readonly consumerId: string;
  readonly producerId: string;
}

export interface ViewInputInfo {
  /** null for who is shown by initials. */
  readonly publicationId: string | null;
  readonly participantId: string;
  readonly place: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  } | null;
}

export interface RoomInfo {
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
  readonly lastN: number;
  readonly maxParticipants: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** What is said and shown is being kept; participants have to see it. */
  readonly isRecorded: boolean;
  readonly isLocked: boolean;
  readonly hasWaitingRoom: boolean;
  /** It is recorded. */
  readonly asksConsent: boolean;
  /** Epoch milliseconds; the room closes then. */
  readonly endsAtMs: number | null;
}

export interface WaitingInfo {
  readonly id: string;
  readonly kind: ParticipantKind;
  readonly user: string;
  readonly displayName: string;
  readonly role: string;
  readonly reason: WaitReason;
  /** 1 is next. */
  readonly position: number;
  readonly sinceMs: number;
}

export interface ChatInfo {
  readonly id: string;
  /** Absent for what the server says. */
  readonly from: { readonly id: string; readonly displayName: string } | undefined;
  readonly to: string;
  readonly text: string;
  readonly sentAtMs: number;
}

export interface ErrorInfo {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fields?: readonly FieldError[];
  readonly retryAfterMs?: number | undefined;
}

export interface JoinResult {
  readonly protocol: typeof protocolVersion;
  readonly participantId: string;
  /** Show it to `resume` on a new socket; every resume gives a new one. */
  readonly ticket: string;
  /** The place and media are kept so long after the socket is lost. */
  readonly resumeGraceMs: number;
  readonly room: RoomInfo;
  /** Everybody, oneself included. */
  readonly participants: readonly ParticipantInfo[];
  readonly activeSpeaker: string | null;
  readonly chat: readonly ChatInfo[];
  readonly rtpCapabilities: RtpCapabilities;
  readonly iceServers: readonly IceServer[];
}
