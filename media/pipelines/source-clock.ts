// Owns: where the time stamps of a source lie on the machine's monotonic clock.

/** A jump of more than this is a new beginning (a source that restarted, a wrap), not a delay. */
const maxJumpUs = 2_000_000;
/** A source's clock runs up to some 100 ppm off ours: followed at no more than 0.1 %, which nobody sees or hears. */
const maxSlew = 0.001;
/** Lateness is measured as the least over this time: what a network adds is never negative. */
const windowUs = 5_000_000;

/**
 * One for all streams of a source, which share a clock: what is simultaneous there stays simultaneous here. Media of
 * least delay is shown at once; what comes late keeps its place in time.
 */
export class SourceClock {
  #offsetUs: number | undefined;
  #windowStartUs = 0;
  #leastLatenessUs = Number.POSITIVE_INFINITY;
  #lastNowUs = 0;
  #slewUs = 0;

  /**
   * @param ptsUs on the source's clock
   * @param nowUs arrival, on the machine's
   * @returns the machine's clock when it is to be shown
   */
  place(ptsUs: number, nowUs: number): number {
    if (this.#offsetUs === undefined || Math.abs(ptsUs + this.#offsetUs - nowUs) > maxJumpUs) {
      this.#anchor(nowUs - ptsUs, nowUs);
      return nowUs;
    }
    this.#measure(nowUs - ptsUs - this.#offsetUs, nowUs);
    return ptsUs + this.#offsetUs;
  }

  /** For what was decoded out of units that were placed before. */
  at(ptsUs: number): number {
    return ptsUs + (this.#offsetUs ?? 0);
  }

  #anchor(offsetUs: number, nowUs: number): void {
    this.#offsetUs = offsetUs;
    this.#windowStartUs = nowUs;
    this.#leastLatenessUs = Number.POSITIVE_INFINITY;
    this.#slewUs = 0;
    this.#lastNowUs = nowUs;
  }

  #measure(latenessUs: number, nowUs: number): void {
    const passedUs = Math.max(0, nowUs - this.#lastNowUs);
    this.#lastNowUs = nowUs;
    this.#leastLatenessUs = Math.min(this.#leastLatenessUs, latenessUs);
    if (nowUs - this.#windowStartUs > windowUs) {
      this.#slewUs = this.#leastLatenessUs;
      this.#leastLatenessUs = Number.POSITIVE_INFINITY;
      this.#windowStartUs = nowUs;
    }
    const step = Math.max(-passedUs * maxSlew, Math.min(passedUs * maxSlew, this.#slewUs));
    this.#slewUs -= step;
    this.#offsetUs = (this.#offsetUs ?? 0) + step;
  }
}
