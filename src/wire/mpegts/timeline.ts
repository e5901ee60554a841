// Owns: 33-bit time stamps of 90 kHz as one line of microseconds, past wraps, splices and restarts. Pure.

const wrapTicks = 2 ** 33;
/** What is farther away is another time line, not a delay: audio and video of a program lie closer together. */
const maxJumpTicks = 10 * 90_000;
/** Between the last picture of one time line and the first of the next, about. */
const spliceUs = 40_000;

interface Line {
  /** Of the last time stamp on it, unwrapped. */
  lastTicks: number;
  readonly offsetUs: number;
}

export class TsTimeline {
  /** The one that holds, and the one before: audio comes late to a splice that video has passed already. */
  #lines: Line[] = [];
  #lastUs = 0;
  #mustSplice = false;
  /** Times at which another time line began without being announced. */
  jumps = 0;

  /** The next time stamp goes on where the last one was, whatever it says. */
  splice(): void {
    this.#mustSplice = this.#lines.length > 0;
  }

  /** @param ticks decoding time, 33 bits @returns microseconds; the first one as it is */
  place(ticks: number): number {
    const line = this.#lineOf(ticks);
    line.lastTicks += distance(ticks, line.lastTicks);
    const us = toUs(line.lastTicks) + line.offsetUs;
    this.#lastUs = Math.max(this.#lastUs, us);
    return us;
  }

  #lineOf(ticks: number): Line {
    const near = this.#mustSplice
      ? undefined
      : this.#lines.find(({ lastTicks }) => Math.abs(distance(ticks, lastTicks)) <= maxJumpTicks);
    if (near) return near;
    if (this.#lines.length > 0 && !this.#mustSplice) this.jumps += 1;
    const isFirst = this.#lines.length === 0;
    const line = { lastTicks: ticks, offsetUs: isFirst ? 0 : this.#lastUs + spliceUs - toUs(ticks) };
    // After an announced splice, nothing of before comes any more.
    this.#lines = this.#mustSplice ? [line] : [line, ...this.#lines.slice(0, 1)];
    this.#mustSplice = false;
    return line;
  }
}

/** @returns microseconds from one time stamp to the other, within half a wrap */
export function ticksBetweenUs(from: number, to: number): number {
  return toUs(distance(to, from));
}

function toUs(ticks: number): number {
  return Math.round((ticks * 100) / 9);
}

/** Signed, within half a wrap. @param from may be unwrapped */
function distance(ticks: number, from: number): number {
  const ahead = (((ticks - from) % wrapTicks) + wrapTicks) % wrapTicks;
  return ahead >= wrapTicks / 2 ? ahead - wrapTicks : ahead;
}
