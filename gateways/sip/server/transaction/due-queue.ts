// Owns: what happens a fixed time later, for many at once: thousands of transactions that wait for their end have one timer.

/** No timer goes off sooner than this after the one before: what is due in between waits for it. */
const gatherMs = 20;

/** Things that are due the same time after each was put in. */
export class DueQueue<T> {
  readonly #delayMs: number;
  readonly #onDue: (item: T) => void;
  #items: (T | undefined)[] = [];
  #dueAtMs: number[] = [];
  /** Those before it are done. */
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(delayMs: number, onDue: (item: T) => void) {
    this.#delayMs = delayMs;
    this.#onDue = onDue;
  }

  add(item: T): void {
    this.#items.push(item);
    this.#dueAtMs.push(performance.now() + this.#delayMs);
    this.#timer ??= setTimeout(this.#run, this.#delayMs);
  }

  /** Nothing is due any more. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#items = [];
    this.#dueAtMs = [];
    this.#next = 0;
  }

  readonly #run = (): void => {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (;;) {
      const dueAtMs = this.#dueAtMs[this.#next];
      if (dueAtMs === undefined) break;
      // Timers may go off a little early.
      if (dueAtMs > nowMs + 1) {
        // What came meanwhile has set one for itself, and is due after this.
        clearTimeout(this.#timer);
        this.#timer = setTimeout(this.#run, Math.max(dueAtMs - nowMs, gatherMs));
        break;
      }
      const item = this.#items[this.#next];
      this.#items[this.#next++] = undefined;
      if (item !== undefined) this.#onDue(item);
    }
    if (this.#next * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#next);
    this.#dueAtMs = this.#dueAtMs.slice(this.#next);
    this.#next = 0;
  };
}
