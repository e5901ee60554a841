// Owns: pages of a list that many ask for again and again, kept for as long as they would be the same. May import: ./conditional.
import { lastingAnswer } from './conditional.ts';

/** Pages are some hundred kilobytes at the most. */
const maxPages = 16;

/**
 * A page is taken from here while the stamp is the one that it was made under; the stamp is read before the page is, so
 * that what changes meanwhile makes it old at once.
 */
export class PageKeeper<T extends object> {
  readonly #stampOf: () => string;
  readonly #pages = new Map<string, T>();
  #stamp = '';

  constructor(stampOf: () => string) {
    this.#stampOf = stampOf;
  }

  async page(query: object, make: () => Promise<T>): Promise<T> {
    const stamp = this.#stampOf();
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#pages.clear();
    }
    const key = JSON.stringify(query);
    const known = this.#pages.get(key);
    if (known) return known;
    const made = lastingAnswer(await make());
    // Others may have come and gone in between.
    if (this.#stamp !== stamp) return made;
    const [oldest] = this.#pages.keys();
    if (this.#pages.size >= maxPages && oldest !== undefined) this.#pages.delete(oldest);
    this.#pages.set(key, made);
    return made;
  }
}
