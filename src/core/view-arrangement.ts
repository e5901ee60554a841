// Owns: changing a view from outside: how it looks, and who stands where while it runs. May import: core only.
import { GatewayError } from './errors.ts';
import type { RoomRecord } from './room.ts';
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
 * As a whole or not at all. How it looks is kept; places are about who is there now.
 * @throws GatewayError `conflict` when places are to change and it does not run, `not_found` for who is not there,
 *   `unprocessable` for sound, `invalid_request`
 */
export async function arrangeView(
  views: ViewPort,
  record: RoomRecord,
  name: string,
  { look, stage }: { look: ViewChange; stage: StageChange },
): Promise<ViewSettings> {
  const isStaged = Object.values(stage).some((value) => value !== undefined);
  const running = views.find(record, name);
  if (isStaged) checkStage(running, stage);
  const settings = await views.ofRooms.change(record.id, name, look);
  if (running && isStaged) {
    applyStage(running, stage);
    views.events.emit('arranged', record, settings);
  }
  return settings;
}

function checkStage(view: View | undefined, { primary, pinned, swap, order, add, remove }: StageChange): void {
  if (!view) throw new GatewayError('conflict', 'Nobody watches this view now, so nobody has a place in it.');
  for (const name of [primary, pinned, ...(swap ?? []), ...(order ?? [])]) {
    if (typeof name === 'string' && !view.inputs.named(name)) {
      throw new GatewayError('not_found', `"${name}" is not in this view.`);
    }
  }
  // What is made here of others, as this view itself, is nobody's stream.
  const published = [...view.room.visibleParticipants].flatMap(({ publications }) => [...publications.values()]);
  const kinds = new Map<string, string>(published.map(({ id, kind }) => [id, kind]));
  for (const id of [...(add ?? []), ...(remove ?? [])]) {
    const kind = kinds.get(id);
    if (!kind) throw new GatewayError('not_found', `The stream "${id}" is not in this room.`);
    if (kind !== 'video')
      throw new GatewayError('unprocessable', `The stream "${id}" is sound; only pictures are in views.`);
  }
}

function applyStage(view: View, { primary, pinned, swap, order, add, remove }: StageChange): void {
  for (const id of remove ?? []) view.inputs.exclude(id);
  for (const id of add ?? []) view.inputs.include(id);
  if (order) view.reorder(order);
  if (swap) view.swap(...swap);
  if (primary !== undefined) view.setPrimary(primary);
  if (pinned !== undefined) view.pin(pinned ?? undefined);
}

/** Names of the views that run and that it is in, whether it has a place in them or waits for one. */
export function viewsWith(views: Pick<ViewPort, 'settingsOf' | 'find'>, publication: Publication): string[] {
  const { record } = publication.participant.room;
  const names = views.settingsOf(record).map(({ name }) => name);
  return names.filter((name) =>
    views.find(record, name)?.inputs.members.some((member) => member.publication === publication),
  );
}

/**
 * Into these views and out of all others that run, whatever their rules say; as a whole or not at all.
 * @returns what does it, checked: it cannot fail any more
 * @throws GatewayError `unprocessable` for sound and for a view that the room has not, `conflict` for one that does not run
 */
export function placingInViews(views: ViewPort, publication: Publication, wanted: readonly string[]): () => void {
  if (publication.kind !== 'video') throw new GatewayError('unprocessable', 'Only pictures are in views.');
  const { record } = publication.participant.room;
  const names = views.settingsOf(record).map(({ name }) => name);
  for (const name of wanted) {
    if (!names.includes(name)) {
      const known = names.join(', ') || 'none';
      throw new GatewayError('unprocessable', `The room has no view "${name.slice(0, 64)}"; it has: ${known}.`);
    }
    checkStage(views.find(record, name), {});
  }
  return () => {
    for (const name of names) {
      const { inputs } = views.find(record, name) ?? {};
      if (wanted.includes(name)) inputs?.include(publication.id);
      else inputs?.exclude(publication.id);
    }
  };
}
