// Owns: how many answers may go on without end at once. May import: core.
import { GatewayError } from '#core/errors.ts';

const retryAfterMs = 5_000;

export class StreamSlots {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** @returns what gives the place back, once @throws GatewayError `overloaded` */
  take(): () => void {
    if (this.#taken >= this.#limit) {
      throw new GatewayError('overloaded', `At most ${this.#limit} clients follow events at once.`, { retryAfterMs });
    }
    this.#taken++;
    let isFree = false;
    return () => {
      if (!isFree) this.#taken--;
      isFree = true;
    };
  }
}
