// Owns: domain objects as the API shows them. Pure. May import: core, ./contract.
import type { JobInfo } from '#core/job.ts';
import type { Participant } from '#core/participant.ts';
import type { ChatMessage, Room } from '#core/room.ts';
import { givenAudioCodecs, usualMedia } from '#core/room-media.ts';
import { viewsOf } from '#core/room-views.ts';
import type { RoomEntry } from '#core/rooms.ts';
import { timeText } from '#core/time-text.ts';
import type { Publication, Subscription } from '#core/track.ts';
import type {
  JobResource,
  MessageResource,
  ParticipantResource,
  RoomResource,
  StreamResource,
  SubscriptionResource,
} from './contract.ts';
import { invalidFields } from './problem.ts';
import { meetingSettings } from './room-meeting.ts';
import { roomSipView } from './room-sip.ts';
import { viewSettingsResource } from './room-view-resource.ts';

export { timeText } from '#core/time-text.ts';

export function roomView({ record }: RoomEntry, live: Room | undefined): RoomResource {
  const { createdAtMs, sip, meeting, views, mediaIn, mediaOut, transcoding, selectActiveAudio, ...settings } = record;
  return {
    ...settings,
    metadata: { ...record.metadata },
    announcesAudience: record.announcesAudience ?? true,
    announcesStreams: record.announcesStreams ?? true,
    mediaIn: mediaIn ?? usualMedia.mediaIn,
    // Stores of earlier versions have no word on sound.
    mediaOut: { ...(mediaOut ?? usualMedia.mediaOut), audio: mediaOut?.audio ?? givenAudioCodecs },
    transcoding: { ...(transcoding ?? usualMedia.transcoding), audio: transcoding?.audio ?? true },
    selectActiveAudio: selectActiveAudio ?? usualMedia.selectActiveAudio,
    views: viewsOf({ views, mediaOut }).map(viewSettingsResource),
    meeting: meetingSettings(meeting),
    sip: roomSipView(sip),
    createdAt: timeText(createdAtMs),
    isActive: live !== undefined,
    participantCount: live?.visibleCount ?? 0,
  };
}

export function participantView(participant: Participant): ParticipantResource {
  // One that is being closed is still in the map for a moment.
  const publications = [...participant.publications.values()].filter(({ isClosed }) => !isClosed);
  const isSilent = (kind: 'audio' | 'video') =>
    publications.every((publication) => publication.kind !== kind || publication.isMuted);
  return {
    id: participant.id,
    kind: participant.kind,
    user: participant.user,
    displayName: participant.displayName,
    role: participant.role,
    permissions: participant.permissions,
    attributes: { ...participant.attributes },
    avatarId: participant.avatar?.id ?? null,
    isMuted: { audio: isSilent('audio'), video: isSilent('video') },
    isHandRaised: participant.isHandRaised,
    isConnected: participant.isConnected,
    isSpeaking: participant.room.activeSpeaker === participant.id,
    quality: participant.quality,
    joinedAt: timeText(participant.joinedAtMs),
    streams: publications.map(({ id }) => id),
  };
}

/** What is so of it wherever it is shown. */
export function streamView(publication: Publication): Omit<StreamResource, 'inViews'> {
  const { participant } = publication;
  return {
    id: publication.id,
    participantId: participant.id,
    user: participant.user,
    displayName: participant.displayName,
    kind: publication.kind,
    source: publication.source,
    label: publication.label,
    mimeType: publication.mimeType,
    encodingCount: publication.encodingCount,
    isMuted: publication.isMuted,
    isMutedByModerator: publication.isMutedByModerator,
    isWatched: publication.isWatched,
    subscriptionCount: publication.subscriptions.size,
    score: publication.score ?? null,
    startedAt: timeText(publication.startedAtMs),
  };
}

export function subscriptionView(subscription: Subscription): SubscriptionResource {
  const { participant, consumer, formats, currentLayers } = subscription;
  return {
    id: subscription.id,
    participantId: participant.id,
    user: participant.user,
    streamId: (formats?.source ?? subscription.publication).id,
    kind: subscription.publication.kind,
    mimeType: consumer.rtpParameters.codecs[0]?.mimeType ?? subscription.publication.mimeType,
    isPaused: subscription.isPaused,
    isHeldBack: subscription.isHeldBack,
    canChangeFormat: formats !== undefined,
    format: formats?.format ?? null,
    currentLayers: currentLayers && {
      spatialLayer: currentLayers.spatialLayer,
      temporalLayer: currentLayers.temporalLayer ?? null,
    },
    score: subscription.score ?? null,
  };
}

export function messageView(message: ChatMessage): MessageResource {
  const { id, from, to, text, sentAtMs } = message;
  return { id, from: from ?? null, to, text, sentAt: timeText(sentAtMs) };
}

export function jobView(info: JobInfo): JobResource {
  const { atMs, startedAtMs, workerPid, verdicts, progress, ...rest } = info;
  return {
    ...rest,
    since: timeText(atMs),
    startedAt: timeText(startedAtMs),
    workerPid: workerPid ?? null,
    verdicts: verdicts.map((verdict) => ({ ...verdict, to: verdict.to ?? null })),
    progress: progress ? { ...progress, avOffsetMs: progress.avOffsetMs ?? null } : null,
  };
}

/** @param state undefined for all */
export function inState<T extends { readonly state: string }>(
  all: readonly T[],
  state: T['state'] | undefined,
): readonly T[] {
  return state === undefined ? all : all.filter((one) => one.state === state);
}

/** One page out of what is in memory, in order of id as the store's lists are. */
export function pageOf<T extends { readonly id: string }>(
  all: Iterable<T>,
  { after = '', limit }: { after?: string | undefined; limit: number },
): { items: T[]; next: string | null } {
  const rest = [...all].filter(({ id }) => id > after).sort((a, b) => (a.id < b.id ? -1 : 1));
  return nextPage(rest.slice(0, limit + 1), limit);
}

/**
 * Of what has an order of its own.
 * @throws GatewayError `invalid_request` when the item that `after` names has gone: nobody knows where it was
 */
export function pageInOrder<T extends { readonly id: string }>(
  all: readonly T[],
  { after, limit }: { after?: string | undefined; limit: number },
): { items: T[]; next: string | null } {
  const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
  if (from === 0 && after !== undefined) {
    const message = 'names nothing that is in this list any more; begin again without it';
    throw invalidFields('query', [{ path: ['after'], message }]);
  }
  return nextPage(all.slice(from, from + limit + 1), limit);
}

/** @param found one more than a page holds, if there is one: that is how the end is known */
export function nextPage<T extends { readonly id: string }>(found: readonly T[], limit: number) {
  const items = found.slice(0, limit);
  return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
}
