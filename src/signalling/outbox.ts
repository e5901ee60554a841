// Owns: the numbered events of one session, kept until they can no longer be missed. Pure. May import: nothing.

/**
 * A bounded ring of events. `replay(after)` gives back everything after a number, or undefined when part of it has
 * fallen out of the ring and the client must start over.
 */
export class Outbox<T> {
  readonly #capacity: number;
  readonly #items: { readonly seq: number; readonly item: T }[] = [];
  #lastSeq = 0;

  /** @param capacity events; about 60 s of a busy room */
  constructor(capacity = 2_000) {
    this.#capacity = capacity;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** @returns the number that the event has, from 1, without gaps */
  push(item: T): number {
    this.#lastSeq += 1;
    this.#items.push({ seq: this.#lastSeq, item });
    if (this.#items.length > this.#capacity) this.#items.shift();
    return this.#lastSeq;
  }

  replay(afterSeq: number): readonly { readonly seq: number; readonly item: T }[] | undefined {
    if (afterSeq > this.#lastSeq) return undefined;
    const oldest = this.#lastSeq - this.#items.length + 1;
    if (afterSeq + 1 < oldest) return undefined;
    return this.#items.slice(this.#items.length - (this.#lastSeq - afterSeq));
  }
}
