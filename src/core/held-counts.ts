// Owns: how many places are held under each key, by callers, addresses and the like. May import: nothing.

/** Only keys that hold something are kept, so that it is bounded by what is held. */
export class HeldCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  /** Under all keys. */
  get total(): number {
    return this.#total;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** @returns gives it back; more than once does no harm */
  take(key: string): () => void {
    this.#counts.set(key, this.of(key) + 1);
    this.#total += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#total -= 1;
      const left = this.of(key) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
    };
  }
}
