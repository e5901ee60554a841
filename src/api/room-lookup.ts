// Owns: finding what a path names. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { ParticipantId, PublicationId } from '#core/ids.ts';
import type { Participant } from '#core/participant.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { Publication } from '#core/track.ts';

/** @returns undefined when nobody is in the room @throws GatewayError `not_found` when there is no such room */
export async function liveRoom(rooms: Rooms, nameOrId: string): Promise<Room | undefined> {
  return rooms.live((await rooms.get(nameOrId)).record.id);
}

/** @throws GatewayError `not_found` */
export async function findParticipant(
  rooms: Rooms,
  { room, participant: id }: { room: string; participant: string },
): Promise<Participant> {
  const found = (await liveRoom(rooms, room))?.participants.get(id as ParticipantId);
  if (!found || found.isHidden || found.isClosed)
    throw new GatewayError('not_found', 'That participant is not in the room.');
  return found;
}

/** @throws GatewayError `not_found` */
export async function findStream(
  rooms: Rooms,
  { room, stream: id }: { room: string; stream: string },
): Promise<Publication> {
  const found = (await liveRoom(rooms, room))?.findPublication(id as PublicationId);
  if (!found || found.isClosed) throw new GatewayError('not_found', 'That stream is not in the room.');
  return found;
}
