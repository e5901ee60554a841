// Owns: who publishes what right now: one publisher for each stream key. May import: core.
import { GatewayError } from './errors.ts';
import type { CloseReason, Owned } from './lifecycle.ts';

export interface Dismissable extends Owned {
  dismiss(reason: CloseReason): void;
}

export class PublisherTable {
  readonly #holders = new Map<string, Dismissable>();

  get size(): number {
    return this.#holders.size;
  }

  /**
   * Gives the key to a publisher until it closes.
   * @throws GatewayError `conflict` when another has it and is not to be replaced, or was replaced by a third meanwhile
   */
  async claim(publisherId: string, claimant: Dismissable, whenBusy: 'reject' | 'take_over'): Promise<void> {
    const holder = this.#holders.get(publisherId);
    if (holder && holder !== claimant) {
      if (whenBusy === 'reject') throw busy();
      holder.dismiss('replaced');
      await holder.done; // its stream has ended before the next begins
      if (this.#holders.has(publisherId)) throw busy();
    }
    if (claimant.isClosed) throw new GatewayError('closed', 'The publisher left.');
    this.#holders.set(publisherId, claimant);
    void claimant.done.then(() => {
      if (this.#holders.get(publisherId) === claimant) this.#holders.delete(publisherId);
    });
  }

  /** The stream has ended while its connection stays. */
  release(publisherId: string, holder: Dismissable): void {
    if (this.#holders.get(publisherId) === holder) this.#holders.delete(publisherId);
  }
}

function busy(): GatewayError {
  return new GatewayError('conflict', 'Somebody publishes with this stream key already.');
}
