// Owns: the beat of one view: any rate, by the machine's monotonic clock. What is missed is let go by, never made up for.
import { clockNowUs } from '../rtp/sequence.ts';

/** Of the time that a tick took, so much is left free before the next: what comes in meanwhile is to be taken in, too. */
export const restShare = 0.25;

export type OnTick = (clockUs: number, tickUs: number) => void;

export class ViewClock {
  readonly #onTick: OnTick;
  /** Kept as it was said: what is divided twice comes back as 29.999999999999996. */
  framerateHz: number;
  #dueUs = 0;
  #restsUntilUs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Since the start. */
  ticks = 0;
  skipped = 0;

  constructor(framerateHz: number, onTick: OnTick) {
    this.framerateHz = framerateHz;
    this.#onTick = onTick;
  }

  start(): void {
    this.#dueUs = clockNowUs() + this.#tickUs;
    this.#schedule();
  }

  get #tickUs(): number {
    return 1e6 / this.framerateHz;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    // Timers fire up to a millisecond late: deadlines count from each other, so that this does not add up.
    this.#timer = setTimeout(() => this.#run(), Math.max(0, (this.#nextUs - clockNowUs()) / 1_000));
  }

  get #nextUs(): number {
    return Math.max(this.#dueUs, this.#restsUntilUs);
  }

  #run(): void {
    const nowUs = clockNowUs();
    // Node rounds down to whole milliseconds, so it may be early.
    if (nowUs < this.#nextUs - 500) {
      this.#schedule();
      return;
    }
    const missed = Math.max(0, Math.floor((nowUs - this.#dueUs) / this.#tickUs));
    this.skipped += missed;
    this.#dueUs += missed * this.#tickUs;
    this.ticks += 1;
    const clockUs = Math.round(this.#dueUs);
    this.#dueUs += this.#tickUs;
    this.#onTick(clockUs, this.#tickUs);
    const doneUs = clockNowUs();
    this.#restsUntilUs = doneUs + (doneUs - nowUs) * restShare;
    if (this.#timer) this.#schedule();
  }
}
