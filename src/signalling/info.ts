// Owns: domain objects as the protocol shows them. Pure. May import: core, ./protocol.
import type { DataPublication } from '#core/data-track.ts';
import { type GatewayError, toGatewayError } from '#core/errors.ts';
import type { Participant } from '#core/participant.ts';
import type { ChatMessage, Room } from '#core/room.ts';
import type { Publication, Subscription } from '#core/track.ts';
import type {
  ChatInfo,
  DataPublicationInfo,
  ErrorInfo,
  ParticipantInfo,
  PublicationInfo,
  RoomInfo,
  SubscriptionInfo,
} from './protocol.ts';

export function publicationInfo(publication: Publication): PublicationInfo {
  return {
    id: publication.id,
    participantId: publication.participant.id,
    kind: publication.kind,
    source: publication.source,
    label: publication.label,
    isMuted: publication.isMuted,
    isMutedByModerator: publication.isMutedByModerator,
    mimeType: publication.mimeType,
    encodingCount: publication.encodingCount,
  };
}

export function dataPublicationInfo(publication: DataPublication): DataPublicationInfo {
  return {
    id: publication.id,
    participantId: publication.participant.id,
    label: publication.label,
    protocol: publication.dataProducer.protocol,
  };
}

export function participantInfo(participant: Participant): ParticipantInfo {
  return {
    id: participant.id,
    kind: participant.kind,
    user: participant.user,
    displayName: participant.displayName,
    role: participant.role,
    permissions: participant.permissions,
    attributes: participant.attributes,
    avatarId: participant.avatar?.id ?? null,
    isHandRaised: participant.isHandRaised,
    isConnected: participant.isConnected,
    quality: participant.quality,
    joinedAtMs: participant.joinedAtMs,
    publications: [...participant.publications.values()].map(publicationInfo),
    dataPublications: [...participant.dataPublications.values()].map(dataPublicationInfo),
  };
}

export function subscriptionInfo(subscription: Subscription): SubscriptionInfo {
  const { consumer, publication } = subscription;
  return {
    id: subscription.id,
    publicationId: publication.id,
    participantId: publication.participant.id,
    kind: publication.kind,
    type: consumer.type,
    rtpParameters: consumer.rtpParameters,
    consumerId: consumer.id,
    producerId: consumer.producerId,
  };
}

export function roomInfo(room: Room): RoomInfo {
  const { id, name, displayName, lastN, maxParticipants, metadata } = room.record;
  const { isLocked = false, hasWaitingRoom = false, asksConsent = false, endsAtMs = null } = room.record.meeting ?? {};
  const meeting = { isLocked, hasWaitingRoom, asksConsent, endsAtMs };
  return { id, name, displayName, lastN, maxParticipants, metadata, isRecorded: room.isRecorded, ...meeting };
}

export function chatInfo({ id, from, to, text, sentAtMs }: ChatMessage): ChatInfo {
  return { id, from, to, text, sentAtMs };
}

/** What a client may know of a failure: never the cause. */
export function errorInfo(thrown: unknown): ErrorInfo {
  const error: GatewayError = toGatewayError(thrown);
  return {
    code: error.code,
    message: error.message,
    ...(error.fields.length > 0 && { fields: error.fields }),
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  };
}
