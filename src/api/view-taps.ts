// Owns: telling the event log what somebody does to views: makes one, changes its looks, moves people in it.
// May import: core, ./room-view-resource.
import type { EventSink, EventType } from '#core/gateway-events.ts';
import type { RoomRecord } from '#core/room.ts';
import { viewsOf } from '#core/room-views.ts';
import type { Rooms } from '#core/rooms.ts';
import type { ViewPort } from '#core/view-port.ts';
import type { ViewSettings } from '#core/view-settings.ts';
import { viewResource, viewSettingsResource } from './room-view-resource.ts';

/** Who comes, goes and speaks changes places all the time; that is read from the API. */
export function tapViews(
  rooms: Pick<Rooms, 'events'>,
  views: Pick<ViewPort, 'events' | 'find'>,
  sink: EventSink,
): void {
  const emit = (type: EventType, { id, name }: RoomRecord, data: object) => sink.emit(type, { ...data }, { id, name });
  rooms.events.on('updated', (record, before) => {
    const past = new Map(viewsOf(before).map((settings) => [settings.name, settings]));
    for (const settings of viewsOf(record)) {
      const known = past.get(settings.name);
      past.delete(settings.name);
      if (!known) emit('view.created', record, viewSettingsResource(settings));
      else if (factsOf(known) !== factsOf(settings)) emit('view.updated', record, viewSettingsResource(settings));
    }
    for (const name of past.keys()) emit('view.deleted', record, { name });
  });
  views.events.on('arranged', (record, settings) =>
    emit('view.arranged', record, viewResource(settings, views.find(record, settings.name))),
  );
}

/** With the image, of which the resource only says that there is one. */
const factsOf = (settings: ViewSettings): string => JSON.stringify([viewSettingsResource(settings), settings.imageId]);
