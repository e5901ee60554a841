// Owns: the moment at which a recording stops or pauses, while what was captured before it is still on its way.
import type { MediaKind } from '#core/rtp.ts';
import type { EgressUnit } from './sink.ts';

/** A view shows as late as voices are played, which is more on a bad line; who has left sends nothing more. */
const patienceMs = 1_000;

export class RecordCut {
  readonly #atUs: number;
  readonly #missing: Set<MediaKind>;
  readonly #onOver: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #done = Promise.withResolvers<void>();
  #isOver = false;

  /**
   * @param atUs on the clock of the units
   * @param kinds that are waited for
   * @param onOver everything from before it is there, or waited for no longer
   */
  constructor(atUs: number, kinds: readonly MediaKind[], onOver: () => void) {
    this.#atUs = atUs;
    this.#missing = new Set(kinds);
    this.#onOver = onOver;
    this.#timer = setTimeout(() => this.end(), patienceMs);
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** @returns whether it was captured afterwards, or comes too late */
  leavesOut({ kind, dtsUs }: EgressUnit): boolean {
    if (!this.#isOver && dtsUs < this.#atUs) return false;
    this.#missing.delete(kind);
    if (this.#missing.size === 0) this.end();
    return true;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#onOver();
    this.#done.resolve();
  }
}
