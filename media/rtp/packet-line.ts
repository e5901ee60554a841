// Owns: packets of audio that are passed on, laid end to end.

/** Wobble of arrival and of rounded time stamps stays below; a gap or an overlap beyond it is a real one. */
const maxDriftUs = 30_000;

/** An overlap that is further back is a clock that was set anew. */
const maxOverlapUs = 10_000_000;

interface Placed {
  readonly ptsUs: number;
  readonly clockUs: number;
  readonly durationUs: number;
}

/**
 * A receiver's jitter buffer throws away a packet that begins one tick before the end of the last, and fills a gap of one
 * tick with noise. So packets that follow each other get time stamps that do, whatever their clock makes of them.
 */
export class PacketLine {
  #last: Placed | undefined;

  /**
   * @param ptsUs on the source's clock
   * @param wantedUs where that lies on ours
   * @returns our clock when it is to be heard; undefined when it must be left out, since that time has been filled
   */
  place(ptsUs: number, wantedUs: number, durationUs: number): number | undefined {
    const clockUs = this.#last ? this.#after(this.#last, ptsUs, wantedUs) : wantedUs;
    if (clockUs !== undefined) this.#last = { ptsUs, clockUs, durationUs };
    return clockUs;
  }

  /** At the end of the last, or as much later as packets are missing, unless that is not where it is wanted any more. */
  #after({ ptsUs: lastPtsUs, clockUs, durationUs }: Placed, ptsUs: number, wantedUs: number): number | undefined {
    const passedUs = ptsUs - lastPtsUs;
    const endUs = clockUs + durationUs;
    const nextUs = Math.abs(passedUs - durationUs) < durationUs / 2 ? endUs : clockUs + passedUs;
    // A source whose clock was corrected may begin within what has been said.
    if (nextUs >= endUs && Math.abs(wantedUs - nextUs) <= maxDriftUs) return nextUs;
    const overlapUs = endUs - wantedUs;
    if (overlapUs <= 0 || overlapUs > maxOverlapUs) return wantedUs;
    return overlapUs > durationUs / 2 ? undefined : endUs;
  }
}
