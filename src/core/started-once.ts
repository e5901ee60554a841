// Owns: what is there once for each key, begun by the first who asks. May import: core only.
import type { Owned } from './lifecycle.ts';

/** Who asks while it starts waits for the same one; one that has ended, or never came about, is begun anew. */
export class StartedOnce<Key, T extends Owned> {
  readonly #pending = new Map<Key, Promise<T>>();
  readonly #live = new Map<Key, T>();

  /** Those that run. */
  get live(): ReadonlyMap<Key, T> {
    return this.#live;
  }

  /** Starting ones too. */
  get size(): number {
    return this.#pending.size;
  }

  async of(key: Key, start: () => Promise<T>): Promise<T> {
    for (;;) {
      const asked = this.#pending.get(key);
      // That it did not come about is told to who began it; for who comes later it is the reason to begin again.
      const running = await asked?.catch(() => undefined);
      if (running && !running.isClosed) return running;
      // Somebody else was as quick while we waited for the one that has ended.
      if (this.#pending.get(key) === asked) return this.#begin(key, start());
    }
  }

  #begin(key: Key, pending: Promise<T>): Promise<T> {
    this.#pending.set(key, pending);
    const forget = () => {
      if (this.#pending.get(key) !== pending) return;
      this.#pending.delete(key);
      this.#live.delete(key);
    };
    pending.then((one) => {
      if (this.#pending.get(key) === pending) this.#live.set(key, one);
      // Not when it has ended, but as soon as it begins to: nobody is to be given one that is on its way out.
      if (one.isClosed) forget();
      else one.signal.addEventListener('abort', forget, { once: true });
    }, forget);
    return pending;
  }
}
