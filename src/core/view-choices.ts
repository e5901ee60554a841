// Owns: which streams somebody has put into a view of a room or taken out of it, whatever its rule says. May import: core only.
import { EventEmitter } from 'node:events';
import type { Publication } from './track.ts';
import type { AutoMix } from './view-settings.ts';

/** Kept while its room is in use, so that it is there before the view is begun, and when it is begun again. */
export class ViewChoices {
  readonly events = new EventEmitter<{ changed: [] }>();
  /** By id of the stream, which it keeps when its media is made anew. */
  readonly #isIn = new Map<string, boolean>();

  constructor() {
    this.events.setMaxListeners(0);
  }

  choose({ add = [], remove = [] }: { add?: readonly string[]; remove?: readonly string[] }): void {
    for (const id of remove) this.#isIn.set(id, false);
    for (const id of add) this.#isIn.set(id, true);
    this.events.emit('changed');
  }

  /** Whether a picture is in a view of that rule. */
  has({ id, participant }: Publication, rule: AutoMix): boolean {
    const isPhone = participant.kind === 'sip';
    return this.#isIn.get(id) ?? (rule === 'all' || rule === 'cameras' || (rule === 'phones' && isPhone));
  }
}
