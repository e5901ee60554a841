// Owns: when a packet is due by its sender's clock: TSBPD (draft-sharabayko-srt-01 §4.5). Pure. May import: nothing.

/** A mean over so many ACKACKs, ten seconds or more, tells drift from jitter. */
const driftSamples = 1_000;
/** Most that the clock is moved at a time: no crystal drifts faster. */
const maxStepUs = 5_000;
/** A packet from further in the future has a time stamp that means nothing; it would hold up all behind it. */
const maxAheadUs = 1_000_000;

export interface DeliveryClockOptions {
  readonly latencyUs: number;
  /** When a packet came, on our clock, and what was its time stamp: both ends' clocks side by side. */
  readonly arrivalUs: number;
  readonly timestampUs: number;
}

export class DeliveryClock {
  readonly latencyUs: number;
  /** Our clock less the sender's. */
  #baseUs: number;
  /** The last time stamp, past its wraps at 2^32 us (71 minutes). */
  #lastUs: number;
  #driftSumUs = 0;
  #driftCount = 0;
  #firstRttUs: number | undefined;

  constructor({ latencyUs, arrivalUs, timestampUs }: DeliveryClockOptions) {
    this.latencyUs = latencyUs;
    this.#baseUs = arrivalUs - timestampUs;
    this.#lastUs = timestampUs;
  }

  /** @returns when a packet that came at `nowUs` is to be handed on */
  dueUs(timestampUs: number, nowUs: number): number {
    const extendedUs = this.#extend(timestampUs);
    const dueUs = this.#baseUs + extendedUs + this.latencyUs;
    if (dueUs > nowUs + this.latencyUs + maxAheadUs) return nowUs + this.latencyUs;
    this.#lastUs = Math.max(this.#lastUs, extendedUs);
    return dueUs;
  }

  /** An ACKACK goes out the moment an ACK arrives, so its time stamp reads the sender's clock half a round trip ago. */
  noteAckAck(timestampUs: number, nowUs: number, rttUs: number): void {
    this.#firstRttUs ??= rttUs;
    const detourUs = (rttUs - this.#firstRttUs) / 2;
    this.#driftSumUs += nowUs - (this.#baseUs + this.#extend(timestampUs)) - detourUs;
    this.#driftCount += 1;
    if (this.#driftCount < driftSamples) return;
    const meanUs = this.#driftSumUs / this.#driftCount;
    this.#baseUs += Math.max(-maxStepUs, Math.min(maxStepUs, meanUs));
    this.#driftSumUs = 0;
    this.#driftCount = 0;
  }

  #extend(timestampUs: number): number {
    return this.#lastUs + ((timestampUs - this.#lastUs) | 0);
  }
}
