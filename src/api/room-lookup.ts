// Owns: finding what a path names. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { ParticipantId, PublicationId, RoomId, SubscriptionId } from '#core/ids.ts';
import type { Participant } from '#core/participant.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { Publication, Subscription } from '#core/track.ts';

const roomIdPattern = /^RM_\w{12}$/;

/**
 * For what outlives its room, as events and records of calls do: by its id that is found when it is gone.
 * @throws GatewayError `not_found` for a name that no room has
 */
export async function roomIdOf(rooms: Rooms, nameOrId: string): Promise<RoomId> {
  const found = await rooms.find(nameOrId);
  if (!found && roomIdPattern.test(nameOrId)) return nameOrId as RoomId;
  return (found ?? (await rooms.get(nameOrId))).record.id;
}

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

/** Of people and players; what jobs of this gateway take for themselves is their own affair. */
export function receivedIn(room: Room | undefined): Subscription[] {
  return [...(room?.participants.values() ?? [])]
    .filter(({ isHidden, kind }) => !isHidden || kind === 'webrtc')
    .flatMap(({ subscriptions }) => [...subscriptions.values()].filter(({ isClosed }) => !isClosed));
}

/** @throws GatewayError `not_found` */
export async function findSubscription(
  rooms: Rooms,
  { room, subscription: id }: { room: string; subscription: string },
): Promise<Subscription> {
  const found = receivedIn(await liveRoom(rooms, room)).find((one) => one.id === (id as SubscriptionId));
  if (!found) throw new GatewayError('not_found', 'That subscription is not in the room.');
  return found;
}
