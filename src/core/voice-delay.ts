// Owns: how late a participant's voice is heard in the mix of its room, so that its picture can be as late.
// May import: core only.
import { EventEmitter } from 'node:events';

/**
 * A single participant's picture is composed so long after its capture, and its sound, which nobody mixes, is placed as
 * late: all but what a bad network brings is there by then.
 */
export const soloDelayMs = 200;

export class VoiceDelay {
  readonly events = new EventEmitter<{ changed: [] }>();
  #ms: number | undefined;

  constructor() {
    // Every view of the room listens.
    this.events.setMaxListeners(0);
  }

  /** From its capture until the mix plays it; undefined while it is not heard there. */
  get ms(): number | undefined {
    return this.#ms;
  }

  set(ms: number | undefined): void {
    if (ms === this.#ms) return;
    this.#ms = ms;
    this.events.emit('changed');
  }
}
