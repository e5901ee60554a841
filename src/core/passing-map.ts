// Owns: tables of what comes and goes, in what stays. May import: nothing, like all of core.

/** Emptied when what it holds is taken out, whoever still leads to it. */
interface Cell<V> {
  value: V | undefined;
}

/**
 * A Map for what is put in and taken out all the time: calls, dialogs, transactions, participants.
 *
 * Each time a Map has no place left V8 copies what is in it into a new table, and has the old one point to the new one, for
 * whoever is just going through it. Once a table is among the old objects, which a collection of young ones takes for alive, so
 * is every table after it, and all that was in each: until the next collection of everything whole calls were kept that had
 * long ended, 20 kB each, and carried about. Here such a table leads to nothing but keys.
 */
export class PassingMap<K extends string | number, V> implements ReadonlyMap<K, V> {
  readonly #cells = new Map<K, Cell<V>>();

  get size(): number {
    return this.#cells.size;
  }

  get(key: K): V | undefined {
    return this.#cells.get(key)?.value;
  }

  has(key: K): boolean {
    return this.#cells.has(key);
  }

  set(key: K, value: V): this {
    const cell = this.#cells.get(key);
    if (cell) cell.value = value;
    else this.#cells.set(key, { value });
    return this;
  }

  delete(key: K): boolean {
    const cell = this.#cells.get(key);
    if (!cell) return false;
    cell.value = undefined;
    return this.#cells.delete(key);
  }

  clear(): void {
    for (const cell of this.#cells.values()) cell.value = undefined;
    this.#cells.clear();
  }

  keys(): MapIterator<K> {
    return this.#cells.keys();
  }

  /** In the order of their coming; like a Map's it bears that some come and go meanwhile. */
  *values(): MapIterator<V> {
    // What is in the table is in its cell: V itself may be undefined.
    for (const cell of this.#cells.values()) yield cell.value as V;
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  *entries(): MapIterator<[K, V]> {
    for (const [key, cell] of this.#cells) yield [key, cell.value as V];
  }

  forEach(each: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, cell] of this.#cells) each(cell.value as V, key, this);
  }
}

/** The same for a Set. */
export class PassingSet<V> {
  readonly #items = new PassingMap<number, V>();
  #last = 0;

  get size(): number {
    return this.#items.size;
  }

  /** @returns takes it out again */
  add(item: V): () => void {
    const place = ++this.#last;
    this.#items.set(place, item);
    return () => void this.#items.delete(place);
  }

  clear(): void {
    this.#items.clear();
  }

  /** In the order of their coming. */
  [Symbol.iterator](): MapIterator<V> {
    return this.#items.values();
  }
}
