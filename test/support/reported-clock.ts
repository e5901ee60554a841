// Owns: what time the timestamps of a stream stand for, by all sender reports that came of it (RFC 3550 §6.4.1).
import { timestampDistance } from '#media/rtp/sequence.ts';

interface Report {
  readonly rtpTimestamp: number;
  /** Microseconds since 1970. */
  readonly unixUs: number;
}

/** Reports of two streams that lie no further apart were made of both at once. */
const togetherUs = 5_000;

export class ReportedClock {
  readonly #usPerTick: number;
  readonly #reports: Report[] = [];

  constructor(clockRateHz: number) {
    this.#usPerTick = 1e6 / clockRateHz;
  }

  note(report: Report): void {
    this.#reports.push(report);
  }

  /** By most reports. @returns microseconds since 1970; not a number before the first */
  at(rtpTimestamp: number): number {
    return medianOf(this.#said(rtpTimestamp));
  }

  /**
   * How much later a moment of this stream is than one of another, by most reports of both. An SFU that has to wait for the
   * processor finds its own clock beside the sender's, and moves what it says of all streams of a sender at once.
   * @returns microseconds; not a number before there is a report of both
   */
  apartUs(rtpTimestamp: number, other: ReportedClock, otherTimestamp: number): number {
    const apart = this.#reports.flatMap((own) => {
      const theirs = other.#reports.find(({ unixUs }) => Math.abs(unixUs - own.unixUs) < togetherUs);
      return theirs ? [this.#by(own, rtpTimestamp) - other.#by(theirs, otherTimestamp)] : [];
    });
    return medianOf(apart);
  }

  /** By how much the reports differ, milliseconds. */
  get spreadMs(): number {
    const said = this.#said(this.#reports[0]?.rtpTimestamp ?? 0);
    return Math.round((Math.max(...said) - Math.min(...said)) / 1_000);
  }

  #by({ unixUs, rtpTimestamp: reported }: Report, rtpTimestamp: number): number {
    return unixUs + timestampDistance(rtpTimestamp, reported) * this.#usPerTick;
  }

  #said(rtpTimestamp: number): number[] {
    return this.#reports.map((report) => this.#by(report, rtpTimestamp));
  }
}

/** @returns not a number of none */
export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
