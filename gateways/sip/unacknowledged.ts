// Owns: calls that we answered and whose ACK has not come: how many each caller may have at once. Each of them holds ports
// and a place until the server gives it up, 64*T1 after the answer (RFC 3261 §13.3.1.4).
import { CallerPlaces, type PlaceAsked, type PlaceOwner } from './caller-places.ts';
import type { Defence } from './defence.ts';

export interface UnacknowledgedOptions {
  readonly unacknowledgedPerAddress: number;
  readonly unacknowledgedPerTrunk: number;
  /** Not bound, unless they are trunks. */
  readonly exemptNetworks: readonly string[];
  readonly defence: Pick<Defence, 'note'>;
}

type Line = PlaceOwner['line'];

/** The dialog of an answered call, as far as this goes. */
interface Answered {
  readonly events: {
    once(event: 'acknowledged', listener: () => void): unknown;
    once(event: 'ended', listener: (by: string) => void): unknown;
  };
}

export class Unacknowledged {
  readonly #defence: Pick<Defence, 'note'>;
  readonly #places: CallerPlaces;

  constructor(options: UnacknowledgedOptions) {
    const { unacknowledgedPerAddress: perAddress, unacknowledgedPerTrunk: perTrunk, exemptNetworks, defence } = options;
    const what = 'were answered and wait for their ACK';
    this.#defence = defence;
    this.#places = new CallerPlaces({ perAddress, perTrunk, exemptNetworks, defence, what });
  }

  /** @throws GatewayError `rate_limited`, with the reason and when to try again */
  assertMayCall(asked: PlaceAsked, line: Line): void {
    this.#places.assertFree(asked, { line });
  }

  /** @returns why a caller from there that is nobody we know has to wait; undefined where it has not */
  problemOf(source: PlaceAsked['source']): string | undefined {
    return this.#places.problemOf({ source }, {});
  }

  /** Counts it until its ACK comes, or it ends. Called as soon as there is a dialog. */
  watch(asked: PlaceAsked, line: Line, { events }: Answered): void {
    const settle = this.#places.take(asked, { line });
    let isOpen = true;
    events.once('acknowledged', () => {
      isOpen = false;
      settle();
    });
    events.once('ended', (by) => {
      // Its own BYE says as much as an ACK would have.
      if (isOpen && by === 'server' && !line) this.#defence.note('no_ack', asked);
      settle();
    });
  }
}
