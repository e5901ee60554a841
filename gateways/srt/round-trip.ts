// Owns: the estimate of a connection's round-trip time (draft-sharabayko-srt-01 §4.10). Pure. May import: nothing.

/** How many ACKs may be on their way; older ones are forgotten. */
const maxOutstanding = 1_024;

export class RoundTrip {
  /** Before the first measurement, as the draft has it. */
  rttUs = 100_000;
  varianceUs = 50_000;
  #isMeasured = false;
  readonly #sentUs = new Map<number, number>();

  noteAckSent(ackNumber: number, nowUs: number): void {
    this.#sentUs.set(ackNumber, nowUs);
    if (this.#sentUs.size > maxOutstanding) {
      const [oldest] = this.#sentUs.keys();
      if (oldest !== undefined) this.#sentUs.delete(oldest);
    }
  }

  /** @returns whether it answers an ACK of ours */
  noteAckAck(ackNumber: number, nowUs: number): boolean {
    const sentUs = this.#sentUs.get(ackNumber);
    if (sentUs === undefined) return false;
    this.#sentUs.delete(ackNumber);
    this.note(Math.max(1, nowUs - sentUs));
    return true;
  }

  /** A measurement of ours, or of the peer as its ACK tells it. */
  note(sampleUs: number): void {
    if (!this.#isMeasured) {
      this.#isMeasured = true;
      this.rttUs = sampleUs;
      this.varianceUs = sampleUs / 2;
      return;
    }
    this.varianceUs = (3 * this.varianceUs + Math.abs(this.rttUs - sampleUs)) / 4;
    this.rttUs = (7 * this.rttUs + sampleUs) / 8;
  }

  /** By then an answer should have come. */
  get timeoutUs(): number {
    return this.rttUs + 4 * this.varianceUs;
  }
}
