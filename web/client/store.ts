// Owns: one immutable value that changes, and who wants to know. May import: nothing.

/**
 * `value` is current at once; listeners run once per microtask however often it changed, so that a replay of a hundred
 * events draws the page once.
 */
export class Store<T> {
  readonly #listeners = new Set<(value: T) => void>();
  #value: T;
  #isNotifying = false;

  constructor(initial: T) {
    this.#value = initial;
  }

  get value(): T {
    return this.#value;
  }

  /** Merges; the same values again tell nobody. */
  patch(change: Partial<T>): void {
    const keys = Object.keys(change) as (keyof T)[];
    if (keys.every((key) => Object.is(this.#value[key], change[key]))) return;
    this.set({ ...this.#value, ...change });
  }

  set(next: T): void {
    if (Object.is(next, this.#value)) return;
    this.#value = next;
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      for (const listener of [...this.#listeners]) listener(this.#value);
    });
  }

  /** @returns takes the listener off again; it is not called with the present value */
  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
