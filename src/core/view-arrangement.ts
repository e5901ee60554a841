// Owns: changing a view from outside: how it looks, and who stands where while it runs. May import: core only.
import { GatewayError } from './errors.ts';
import type { Room, RoomRecord } from './room.ts';
import type { Publication } from './track.ts';
import type { View } from './view.ts';
import type { ViewPort } from './view-port.ts';
import type { ViewChange, ViewSettings } from './view-settings.ts';

/** By ids of streams or participants. */
export interface StageChange {
  readonly primary?: string | undefined;
  /** null: nobody any more. */
  readonly pinned?: string | null | undefined;
  readonly swap?: readonly [string, string] | undefined;
  /** These come first. */
  readonly order?: readonly string[] | undefined;
  /** Streams that go in and out, whatever the rule of the view says. */
  readonly add?: readonly string[] | undefined;
  readonly remove?: readonly string[] | undefined;
}

/**
 * As a whole or not at all. How it looks is kept, and while the room is in use who is in it; places are about who is there now.
 * @throws GatewayError `conflict` when places are to change and it does not run, `not_found` for who is not there,
 *   `unprocessable` for sound, `invalid_request`
 */
export async function arrangeView(
  views: ViewPort,
  record: RoomRecord,
  name: string,
  { look, stage: { add, remove, ...places } }: { look: ViewChange; stage: StageChange },
): Promise<ViewSettings> {
  const isSaid = (change: object) => Object.values(change).some((value) => value !== undefined);
  const [running, room] = [views.find(record, name), views.roomOf(record)];
  if (isSaid(places)) checkPlaces(running, places);
  checkPictures(room, [...(add ?? []), ...(remove ?? [])]);
  const settings = await views.ofRooms.change(record.id, name, look);
  if (room && isSaid({ add, remove })) views.choicesOf(room, name).choose({ add, remove });
  if (running) place(running, places);
  if (isSaid({ add, remove, ...places })) views.events.emit('arranged', record, settings);
  return settings;
}

type PlaceChange = Omit<StageChange, 'add' | 'remove'>;

function checkPlaces(view: View | undefined, { primary, pinned, swap, order }: PlaceChange): void {
  if (!view) throw new GatewayError('conflict', 'Nobody watches this view now, so nobody has a place in it.');
  for (const name of [primary, pinned, ...(swap ?? []), ...(order ?? [])]) {
    if (typeof name === 'string' && !view.inputs.named(name)) {
      throw new GatewayError('not_found', `"${name}" is not in this view.`);
    }
  }
}

function checkPictures(room: Room | undefined, ids: readonly string[]): void {
  // What is made here of others, as a view itself, is nobody's stream.
  const participants = [...(room?.visibleParticipants ?? [])];
  const published = participants.flatMap(({ publications }) => [...publications.values()]);
  const kinds = new Map<string, string>(published.map(({ id, kind }) => [id, kind]));
  for (const id of ids) {
    const kind = kinds.get(id);
    if (!kind) throw new GatewayError('not_found', `The stream "${id}" is not in this room.`);
    if (kind !== 'video')
      throw new GatewayError('unprocessable', `The stream "${id}" is sound; only pictures are in views.`);
  }
}

function place(view: View, { primary, pinned, swap, order }: PlaceChange): void {
  if (order) view.reorder(order);
  if (swap) view.swap(...swap);
  if (primary !== undefined) view.setPrimary(primary);
  if (pinned !== undefined) view.pin(pinned ?? undefined);
}

/** Names of the views that it is in, whether they run or not, and whether it has a place in them or waits for one. */
export function viewsWith(views: Pick<ViewPort, 'settingsOf' | 'choicesOf'>, publication: Publication): string[] {
  const { room, isHidden } = publication.participant;
  if (publication.kind !== 'video' || isHidden) return [];
  return picturesOf(views, room)
    .filter(({ name, autoMix }) => views.choicesOf(room, name).has(publication, autoMix))
    .map(({ name }) => name);
}

/**
 * Into these views and out of all others, whatever their rules say, as long as it is there; as a whole or not at all.
 * @returns what does it, checked: it cannot fail any more
 * @throws GatewayError `unprocessable` for sound and for a view that the room has not
 */
export function placingInViews(views: ViewPort, publication: Publication, wanted: readonly string[]): () => void {
  const { room, isHidden } = publication.participant;
  if (publication.kind !== 'video' || isHidden) throw new GatewayError('unprocessable', 'Only pictures are in views.');
  const names = picturesOf(views, room).map(({ name }) => name);
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const known = names.join(', ') || 'none';
    const message = `The room has no view "${unknown.slice(0, 64)}" with pictures; it has: ${known}.`;
    throw new GatewayError('unprocessable', message);
  }
  return () => {
    for (const name of names) {
      const ids = [publication.id];
      views.choicesOf(room, name).choose(wanted.includes(name) ? { add: ids } : { remove: ids });
    }
  };
}

const picturesOf = (views: Pick<ViewPort, 'settingsOf'>, room: Room) =>
  views.settingsOf(room.record).filter(({ hasVideo }) => hasVideo !== false);
