// Owns: the beat of every mix in this process: each 20 ms by the machine's clock, whatever timers do.
import { batchUdp } from '../legs/batch-udp.ts';

const beatMs = 20;
/** Beats that were missed are made up for, so many at once; beyond them time is skipped, and everybody told. */
const maxCatchUp = 5;
const latenessSamples = 4_096;

/** @param skipped beats that were left out before this one */
export type OnBeat = (nowMs: number, skipped: number) => void;

/**
 * Deadlines are counted from the first, so that they neither drift nor bunch: a late timer makes one beat late and not
 * those after it.
 */
class MixClock {
  readonly #listeners = new Set<OnBeat>();
  #timer: NodeJS.Timeout | undefined;
  #startMs = 0;
  #beats = 0;
  #skipped = 0;
  readonly #lateness = new Float32Array(latenessSamples);
  #measured = 0;

  add(listener: OnBeat): void {
    this.#listeners.add(listener);
    if (this.#timer) return;
    this.#startMs = performance.now();
    this.#beats = 0;
    this.#schedule();
  }

  remove(listener: OnBeat): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Milliseconds between a deadline and the end of its beat, of the last 80 s; undefined where nothing is mixed. */
  get lateness(): { readonly p50Ms: number; readonly p99Ms: number } | undefined {
    if (!this.#timer) return undefined;
    const known = this.#lateness.subarray(0, Math.min(this.#measured, latenessSamples)).toSorted();
    const at = (share: number) => known[Math.min(known.length - 1, Math.floor(known.length * share))] ?? 0;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  #schedule(): void {
    const dueMs = this.#startMs + (this.#beats + 1) * beatMs;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, dueMs - performance.now()));
  }

  #run(): void {
    const due = Math.floor((performance.now() - this.#startMs) / beatMs) - this.#beats;
    if (due > maxCatchUp) {
      this.#skipped = due - 1;
      this.#beats += this.#skipped;
    }
    for (let i = Math.min(due, due > maxCatchUp ? 1 : due); i > 0; i--) this.#beat();
    if (this.#listeners.size > 0) this.#schedule();
  }

  #beat(): void {
    this.#beats += 1;
    const dueMs = this.#startMs + this.#beats * beatMs;
    const skipped = this.#skipped;
    this.#skipped = 0;
    // The time that it should be: jitter of our own timer is none of the network's.
    batchUdp?.poll();
    for (const listener of [...this.#listeners]) listener(dueMs, skipped);
    batchUdp?.flush();
    this.#lateness[this.#measured++ % latenessSamples] = performance.now() - dueMs;
  }
}

/** One for all mixes of the process. */
export const mixClock = new MixClock();
