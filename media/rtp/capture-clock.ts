// Owns: when what an SFU's stream carries was captured, by the sender reports that come with it (RFC 3550 §6.4.1).
import type { RtcpPacket } from './rtcp.ts';
import { fromNtp, timestampDistance } from './sequence.ts';

type SenderReport = Extract<RtcpPacket, { kind: 'sr' }>;

/** The least delay is looked for over one to two of these. */
const windowUs = 30_000_000;
/** The other side's wall clock was set, or its process is another. */
const maxJumpUs = 1_000_000;
/** Reports that differ by more say something new; by less they wobble, and are followed in part. */
const maxWobbleUs = 100_000;
const followed = 0.3;
/** What lies further from now is no capture time but nonsense of a sender. */
const maxAgeUs = 3_000_000;
const maxAheadUs = 500_000;
/** Time stamps tell before from after up to 2³¹ ticks, some hours: what is known moves along long before. */
const maxAnchorTicks = 2 ** 28;

/** The wall clock of who sends reports on a link, on the machine's monotonic clock: where the quickest report says. */
export class ReportClock {
  #leastUs = Number.POSITIVE_INFINITY;
  #nextLeastUs = Number.POSITIVE_INFINITY;
  #windowStartUs = 0;

  /** @returns the machine's clock at the report's time */
  toClockUs({ ntpSeconds, ntpFraction }: SenderReport, nowUs: number): number {
    const ntpUs = fromNtp(ntpSeconds, ntpFraction);
    const offsetUs = nowUs - ntpUs;
    const isNew = !(Math.abs(offsetUs - this.#offsetUs) < maxJumpUs);
    if (isNew || nowUs - this.#windowStartUs > windowUs) {
      this.#leastUs = isNew ? offsetUs : this.#nextLeastUs;
      this.#nextLeastUs = offsetUs;
      this.#windowStartUs = nowUs;
    }
    this.#nextLeastUs = Math.min(this.#nextLeastUs, offsetUs);
    return ntpUs + this.#offsetUs;
  }

  get #offsetUs(): number {
    return Math.min(this.#leastUs, this.#nextLeastUs);
  }
}

/** Of one stream. mediasoup's reports name the moment of capture as its sender's own reports have it. */
export class CaptureClock {
  readonly #clockRateHz: number;
  readonly #isExact: boolean;
  #anchor: { readonly timestamp: number; readonly clockUs: number } | undefined;

  /** @param timeline of a stream that is made on this machine: exact, and there from the start */
  constructor(clockRateHz: number, timeline?: { readonly rtpTimestamp: number; readonly clockUs: number }) {
    this.#clockRateHz = clockRateHz;
    this.#isExact = timeline !== undefined;
    this.#anchor = timeline && { timestamp: timeline.rtpTimestamp, clockUs: timeline.clockUs };
  }

  /** @param clockUs the machine's clock at the report's time */
  note(timestamp: number, clockUs: number): void {
    if (this.#isExact) return;
    const expectedUs = this.#at(timestamp);
    const errorUs = expectedUs === undefined ? Number.POSITIVE_INFINITY : clockUs - expectedUs;
    const isNews = Math.abs(errorUs) > maxWobbleUs;
    this.#anchor = { timestamp, clockUs: isNews ? clockUs : clockUs - errorUs * (1 - followed) };
  }

  /** @returns the machine's clock when it was captured; undefined while nothing sensible is known */
  at(timestamp: number, nowUs: number): number | undefined {
    const clockUs = this.#at(timestamp);
    if (clockUs === undefined || nowUs - clockUs > maxAgeUs || clockUs - nowUs > maxAheadUs) return undefined;
    const isFar = Math.abs(timestampDistance(timestamp, this.#anchor?.timestamp ?? timestamp)) > maxAnchorTicks;
    if (isFar) this.#anchor = { timestamp, clockUs };
    return clockUs;
  }

  #at(timestamp: number): number | undefined {
    if (!this.#anchor) return undefined;
    return this.#anchor.clockUs + (timestampDistance(timestamp, this.#anchor.timestamp) * 1e6) / this.#clockRateHz;
  }
}
