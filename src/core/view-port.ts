// Owns: what the domain offers of views. src/jobs/views.ts is it. May import: core only.
import type { EventEmitter } from 'node:events';
import type { EgressSource } from './egress-source.ts';
import type { MixStream } from './mix-stream.ts';
import type { Participant } from './participant.ts';
import type { Room, RoomRecord } from './room.ts';
import type { RoomViews } from './room-views.ts';
import type { View } from './view.ts';
import type { ViewChoices } from './view-choices.ts';
import type { ViewRequest, ViewSettings } from './view-settings.ts';

export type ViewPortEvents = {
  /** Somebody has moved people in it, or taken them in or out. */
  arranged: [room: RoomRecord, settings: ViewSettings];
};

export interface ViewPort {
  readonly events: EventEmitter<ViewPortEvents>;
  /** Of every view that a room has, whether it runs or not. */
  settingsOf(record: RoomRecord): readonly ViewSettings[];
  /** Makes, changes and takes away; what runs follows at once. */
  readonly ofRooms: RoomViews;
  /** What is in use of a room. */
  roomOf(record: RoomRecord): Room | undefined;
  /** Of one of its views, whether that runs or not. */
  choicesOf(room: Room, name: string): ViewChoices;
  /** Running now. */
  find(record: RoomRecord, name: string): View | undefined;
  /**
   * Running, started if need be; it lasts while somebody watches.
   * @throws GatewayError `not_found`, `unprocessable` (it has sound only), `overloaded`, `draining`, `media_lost`
   */
  viewOf(room: Room, name: string): Promise<View>;
  /**
   * The same view without one participant: what is shown to that one, where it shows us what it is shown.
   * @throws GatewayError as `viewOf()`
   */
  viewWithout(room: Room, name: string, who: Participant): Promise<View>;
  /**
   * Of one participant or stream alone, in one size whatever it sends; shared by all who ask for the same.
   * @throws GatewayError as `viewOf()`
   */
  soloOf(room: Room, source: EgressSource, size: ViewRequest): Promise<View>;
  /** The mix of everybody, for who takes a view and speaks not. @throws GatewayError as `viewOf()` */
  soundOf(room: Room): Promise<MixStream>;
  /** Running now, of all rooms. */
  readonly running: Iterable<View>;
}
