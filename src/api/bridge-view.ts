// Owns: a bridge as the API shows it to either of its rooms, and telling the event log of it. May import: core, the API's
// contract.
import type { BridgeEnd, BridgeWays, RoomBridge } from '#core/bridge.ts';
import type { Bridges } from '#core/bridges.ts';
import type { EventSink, EventType } from '#core/gateway-events.ts';
import type { RoomId } from '#core/ids.ts';
import type { BridgeResource } from './contract.ts';
import { timeText } from './views.ts';

/** @param roomId one of its two; the first where it is neither */
export function bridgeView(bridge: RoomBridge, roomId: RoomId): BridgeResource {
  const { id, createdAtMs, rooms, participants, ways } = bridge;
  const isTurned = rooms[1].id === roomId;
  const [room, to] = isTurned ? [rooms[1], rooms[0]] : rooms;
  const nameOf = ({ id, name }: { id: string; name: string }) => ({ id, name });
  return {
    ...{ id, room: nameOf(room), to: nameOf(to) },
    ...(isTurned ? turned(ways) : ways),
    participantId: participants[isTurned ? 1 : 0]?.id ?? '',
    createdAt: timeText(createdAtMs),
  };
}

/** As the bridge itself has it. */
export function waysFrom(bridge: RoomBridge, roomId: RoomId, change: Partial<BridgeWays>): Partial<BridgeWays> {
  if (bridge.rooms[1].id !== roomId) return change;
  const { hears, isHeard, sees, isSeen, reads, isRead } = change;
  const mirrored = { hears: isHeard, isHeard: hears, sees: isSeen, isSeen: sees, reads: isRead, isRead: reads };
  return Object.fromEntries(Object.entries(mirrored).filter(([, value]) => value !== undefined));
}

const turned = ({ hears, isHeard, sees, isSeen, reads, isRead }: BridgeWays): BridgeWays => ({
  ...{ hears: isHeard, isHeard: hears, sees: isSeen, isSeen: sees, reads: isRead, isRead: reads },
});

/** Both rooms are told, each as it has it. */
export function tapBridges({ events }: Pick<Bridges, 'events'>, sink: EventSink): void {
  const tell = (type: EventType, bridge: RoomBridge, end?: BridgeEnd) => {
    for (const { id, name } of bridge.rooms) sink.emit(type, { ...bridgeView(bridge, id), ...end }, { id, name });
  };
  events.on('started', (bridge) => tell('bridge.started', bridge));
  events.on('updated', (bridge) => tell('bridge.updated', bridge));
  events.on('ended', (bridge, end) => tell('bridge.ended', bridge, end));
}
