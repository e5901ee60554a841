// Owns: changing a view from outside: how it looks, and who stands where while it runs. May import: core only.
import { GatewayError } from './errors.ts';
import type { RoomRecord } from './room.ts';
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
 * @throws GatewayError `conflict` when places are to change and it does not run, `not_found` for who is not there, `invalid_request`
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
  if (running && isStaged) applyStage(running, stage);
  return settings;
}

function checkStage(view: View | undefined, { primary, pinned, swap, order, add, remove }: StageChange): void {
  if (!view) throw new GatewayError('conflict', 'Nobody watches this view now, so nobody has a place in it.');
  for (const name of [primary, pinned, ...(swap ?? []), ...(order ?? [])]) {
    if (typeof name === 'string' && !view.inputs.named(name)) {
      throw new GatewayError('not_found', `"${name}" is not in this view.`);
    }
  }
  const published = new Set<string>([...view.room.publications()].map(({ id }) => id));
  for (const id of [...(add ?? []), ...(remove ?? [])]) {
    if (!published.has(id)) throw new GatewayError('not_found', `The stream "${id}" is not in this room.`);
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
