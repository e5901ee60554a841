// Owns: what a plain client is told of the others in its room. May import: core and its siblings here.
import { listen } from '#core/listen.ts';
import type { Participant } from '#core/participant.ts';
import type { Publication } from '#core/track.ts';
import type { PlainParticipant, PlainStream, ServerMessage } from './plain-protocol.ts';

/**
 * @param on.streamsChanged something of what the client receives has come or gone
 * @returns stops it
 */
export function tellOfOthers(
  participant: Participant,
  on: { send: (message: ServerMessage) => void; streamsChanged: () => void },
): () => void {
  /** Scores change all the time; only muting is told. */
  const mutes = new Map<string, boolean>();
  const isOther = (publication: Publication) => publication.participant !== participant;
  return listen(participant.room.events, {
    participantJoined: (other) => {
      if (other.isHidden) return;
      on.send({ type: 'participant-joined', participantId: other.id, displayName: other.displayName });
    },
    participantLeft: (other, reason) => {
      if (other.isHidden || other === participant) return;
      on.send({ type: 'participant-left', participantId: other.id, reason });
    },
    publicationAdded: (publication) => {
      if (!isOther(publication)) return;
      mutes.set(publication.id, publication.isMuted);
      on.send({ type: 'stream-added', ...plainStream(publication) });
      on.streamsChanged();
    },
    publicationUpdated: (publication) => {
      if (!isOther(publication) || publication.isMuted === (mutes.get(publication.id) ?? false)) return;
      mutes.set(publication.id, publication.isMuted);
      on.send({ type: 'stream-updated', ...plainStream(publication) });
    },
    publicationRemoved: (publication) => {
      if (!isOther(publication)) return;
      const { id: publicationId } = publication;
      mutes.delete(publicationId);
      on.send({ type: 'stream-removed', publicationId, participantId: publication.participant.id });
      on.streamsChanged();
    },
  });
}

export function plainParticipant(participant: Participant): PlainParticipant {
  return {
    participantId: participant.id,
    displayName: participant.displayName,
    streams: [...participant.publications.values()].map(plainStream),
  };
}

export function plainStream(publication: Publication): PlainStream {
  const { id, participant, kind, source, isMuted } = publication;
  return {
    publicationId: id,
    participantId: participant.id,
    displayName: participant.displayName,
    kind,
    source,
    isMuted,
  };
}
