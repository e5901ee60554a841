// Owns: where the time stamps of a source lie on the machine's monotonic clock.

/** Time stamps that leap further than this, and lie as far from now, are a new beginning: a source that restarted, a wrap. */
const maxLeapUs = 2_000_000;
/** A source's clock runs up to some 100 ppm off ours: followed at no more than 0.1 %, which nobody sees or hears. */
const maxSlew = 0.001;
/** Lateness is measured as the least over this time: what a network adds is never negative. */
const windowUs = 1_000_000;
/** What is further off is put right at once: receivers take media that runs ahead or behind for their own delay. */
const maxErrorUs = 40_000;
/** It has stood so long, or is taken as it is: a source that never stands is not waited for. */
const settledUs = { stood: 300_000, most: 1_000_000 };
/** Frames of audio: whole ones can be left out without a gap in what remains. */
const stepUs = 20_000;
/** What decoders, encoders and interleaving hold back is not older than so much. */
const keptUs = 5_000_000;

interface Step {
  /** On the source's clock: what is shown from then on has moved. */
  readonly fromUs: number;
  readonly byUs: number;
}

/**
 * One for all streams of a source, which share a clock: what is simultaneous there stays simultaneous here. Media of
 * least delay is shown at once; what comes late keeps its place in time.
 *
 * The first unit is rarely the one of least delay: an encoder that starts, or a connection, holds the first ones back and
 * what follows comes ever earlier. So the line is moved to the earliest unit as soon as one is, for all streams at once.
 *
 * Once it stands, a step is one at a place in the source's time: sound and picture of one moment do not come at the same
 * time, nor out of their codecs, and would be as far apart as the step is if one was placed before it and the other after.
 */
export class SourceClock {
  #offsetUs: number | undefined;
  #lastDtsUs = 0;
  /** Behind what has been placed, of all streams: a step may be taken there. */
  #unplacedUs = Number.NEGATIVE_INFINITY;
  #windowStartUs = 0;
  #leastLatenessUs = Number.POSITIVE_INFINITY;
  #lastNowUs = 0;
  #slewUs = 0;
  #beganUs: number | undefined;
  #movedUs = 0;
  #isSettled = false;
  #steps: Step[] = [];

  /**
   * @param unit time stamps on the source's clock: when it is to be shown, and its place in the order of sending
   * @param nowUs arrival, on the machine's
   * @returns the machine's clock when it is to be shown
   */
  place(unit: { readonly ptsUs: number; readonly dtsUs: number }, nowUs: number): number {
    const { ptsUs, dtsUs } = unit;
    const leapUs = Math.abs(dtsUs - this.#lastDtsUs);
    this.#lastDtsUs = dtsUs;
    this.#unplacedUs = Math.max(this.#unplacedUs, dtsUs);
    if (this.#offsetUs === undefined) this.#moveTo(nowUs - dtsUs, nowUs);
    const latenessUs = nowUs - dtsUs - (this.#offsetUs ?? 0);
    if (Math.min(leapUs, Math.abs(latenessUs)) > maxLeapUs) {
      this.#moveTo(nowUs - dtsUs, nowUs);
      this.#unplacedUs = dtsUs;
    } else if (latenessUs < -maxErrorUs) this.#step(latenessUs, nowUs);
    else this.#measure(latenessUs, nowUs);
    this.#unplacedUs = Math.max(this.#unplacedUs, dtsUs + 1);
    return this.at(ptsUs);
  }

  /** For what was decoded out of units that were placed before. */
  at(ptsUs: number): number {
    let clockUs = ptsUs + (this.#offsetUs ?? 0);
    for (const { fromUs, byUs } of this.#steps) if (ptsUs < fromUs) clockUs -= byUs;
    return clockUs;
  }

  /** Whether the line stands, after it went to and fro with the first units. */
  isSettled(nowUs: number): boolean {
    if (this.#isSettled || !this.#hasStood(nowUs)) return this.#isSettled;
    this.#isSettled = true;
    this.#settle(nowUs);
    return true;
  }

  #hasStood(nowUs: number): boolean {
    if (this.#beganUs === undefined) return false;
    return nowUs - this.#movedUs > settledUs.stood || nowUs - this.#beganUs > settledUs.most;
  }

  /** By what all have been late since it moved: later it would be followed for many seconds, and sound that is passed on could not. */
  #settle(nowUs: number): void {
    const leastUs = this.#leastLatenessUs;
    if (Number.isFinite(leastUs)) this.#moveTo((this.#offsetUs ?? 0) + leastUs, nowUs);
  }

  #moveTo(offsetUs: number, nowUs: number): void {
    this.#offsetUs = offsetUs;
    this.#steps = [];
    this.#beganUs ??= nowUs;
    this.#movedUs = nowUs;
    this.#windowStartUs = nowUs;
    this.#leastLatenessUs = Number.POSITIVE_INFINITY;
    this.#slewUs = 0;
    this.#lastNowUs = nowUs;
  }

  #step(errorUs: number, nowUs: number): void {
    const fromUs = this.#unplacedUs;
    const byUs = Math.trunc(errorUs / stepUs) * stepUs;
    const steps = this.#steps.filter((one) => one.fromUs > fromUs - keptUs);
    const isSettled = this.#isSettled || this.#hasStood(nowUs);
    this.#moveTo((this.#offsetUs ?? 0) + byUs, nowUs);
    if (isSettled) this.#steps = [...steps, { fromUs, byUs }];
  }

  #measure(latenessUs: number, nowUs: number): void {
    const passedUs = Math.max(0, nowUs - this.#lastNowUs);
    this.#lastNowUs = nowUs;
    this.#leastLatenessUs = Math.min(this.#leastLatenessUs, latenessUs);
    if (nowUs - this.#windowStartUs > windowUs) {
      const leastUs = this.#leastLatenessUs;
      if (leastUs > maxErrorUs) {
        this.#step(leastUs, nowUs);
        return;
      }
      this.#slewUs = leastUs;
      this.#leastLatenessUs = Number.POSITIVE_INFINITY;
      this.#windowStartUs = nowUs;
    }
    const step = Math.max(-passedUs * maxSlew, Math.min(passedUs * maxSlew, this.#slewUs));
    this.#slewUs -= step;
    this.#offsetUs = (this.#offsetUs ?? 0) + step;
  }
}
