// Owns: arithmetic on RTP sequence numbers, timestamps and clocks. Folder: RTP and RTCP, all pure. May import:
// node:buffer and relative files only.

/**
 * Signed distance between two 16-bit sequence numbers.
 * @returns -32768..32767; negative when `a` comes before `b`
 * @see RFC 3550 appendix A.1
 */
export function seqDistance(a: number, b: number): number {
  return (((a - b) & 0xffff) ^ 0x8000) - 0x8000;
}

/**
 * Extends a 16-bit sequence number past its wrap.
 * @param seq field from the header, 0..65535
 * @param last previous extended number, in packets
 * @returns extended number, in packets; lower than `last` for a reordered packet
 */
export function extendSeq(seq: number, last: number): number {
  return last + seqDistance(seq, last & 0xffff);
}

/**
 * Signed distance between two 32-bit RTP timestamps, in ticks.
 * @see RFC 3550 §5.1: the timestamp wraps
 */
export function timestampDistance(a: number, b: number): number {
  return (a - b) | 0;
}

/** Extends 32-bit RTP timestamps to numbers that keep growing (or shrinking) past the wrap. */
export class TimestampUnwrapper {
  #last: number | undefined;

  /** @returns ticks since the first timestamp seen, which itself is 0 */
  unwrap(timestamp: number): number {
    if (this.#last === undefined) {
      this.#last = 0;
      this.#lastField = timestamp;
      return 0;
    }
    this.#last += timestampDistance(timestamp, this.#lastField);
    this.#lastField = timestamp >>> 0;
    return this.#last;
  }

  #lastField = 0;
}

/** Microseconds on the machine's monotonic clock: the same in every process on it. */
export function clockNowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** Ties RTP timestamps of one stream to the machine's monotonic clock. */
export class RtpTimeline {
  readonly clockRateHz: number;
  readonly #timestamp: number;
  readonly #clockUs: number;

  /** @param timestamp RTP timestamp that stands for `clockUs` */
  constructor(clockRateHz: number, timestamp: number, clockUs: number) {
    this.clockRateHz = clockRateHz;
    this.#timestamp = timestamp >>> 0;
    this.#clockUs = clockUs;
  }

  timestampAt(clockUs: number): number {
    // Whole ticks by rounding, or 20 ms at 48 kHz would now and then be 959.
    const ticks = Math.round(((clockUs - this.#clockUs) * this.clockRateHz) / 1e6);
    return (this.#timestamp + ticks) >>> 0;
  }
}

/** Seconds between 1900 (NTP) and 1970 (Unix). */
const ntpEpochOffsetS = 2_208_988_800;

/** @returns the two halves of a 64-bit NTP timestamp, RFC 3550 §4 */
export function toNtp(unixUs: number): { seconds: number; fraction: number } {
  const seconds = Math.floor(unixUs / 1e6);
  const fraction = Math.round(((unixUs - seconds * 1e6) / 1e6) * 2 ** 32);
  if (fraction >= 2 ** 32) return { seconds: (seconds + 1 + ntpEpochOffsetS) >>> 0, fraction: 0 };
  return { seconds: (seconds + ntpEpochOffsetS) >>> 0, fraction };
}

/** @returns microseconds since 1970 */
export function fromNtp(seconds: number, fraction: number): number {
  return (seconds - ntpEpochOffsetS) * 1e6 + (fraction / 2 ** 32) * 1e6;
}
