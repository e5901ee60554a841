// Owns: what is counted of a received stream (RFC 3550 §6.4.1, appendix A), and what the peer says of ours. Pure.
import type { ReportBlock } from '../rtp/rtcp.ts';
import { seqDistance, timestampDistance, toNtp } from '../rtp/sequence.ts';

export class Reception {
  ssrc: number | undefined;
  packets = 0;
  bytes = 0;
  #baseSeq = 0;
  #highest = 0;
  #jitterTicks = 0;
  #transit: number | undefined;
  #clockRateHz = 8_000;
  #expectedBefore = 0;
  #receivedBefore = 0;
  #streamPackets = 0;
  #lostInOthers = 0;
  #lastSr = 0;
  #lastSrAtMs = 0;
  roundTripMs: number | undefined;
  remoteLost = 0;
  remoteJitterMs: number | undefined;

  note(ssrc: number, seq: number, timestamp: number, size: number, clockRateHz: number, nowMs: number): void {
    this.packets += 1;
    this.bytes += size;
    const distance = seqDistance(seq, this.#highest & 0xffff);
    if (ssrc !== this.ssrc || Math.abs(distance) > 3_000) this.#begin(ssrc, seq);
    else if (distance > 0) this.#highest += distance;
    this.#streamPackets += 1;
    this.#noteJitter(timestamp, clockRateHz, nowMs);
  }

  /** Interarrival jitter, RFC 3550 appendix A.8. Events keep their first time stamp and say nothing. */
  #noteJitter(timestamp: number, clockRateHz: number, nowMs: number): void {
    if (clockRateHz !== this.#clockRateHz) {
      this.#clockRateHz = clockRateHz;
      this.#transit = undefined;
    }
    const transit = (Math.round((nowMs * clockRateHz) / 1_000) - timestamp) | 0;
    if (this.#transit !== undefined) {
      const change = Math.abs(timestampDistance(transit, this.#transit));
      // More than a second is a new talk spurt of a sender that stops its clock.
      if (change < clockRateHz) this.#jitterTicks += (change - this.#jitterTicks) / 16;
    }
    this.#transit = transit;
  }

  noteReport(report: { ntpSeconds: number; ntpFraction: number }, nowMs: number): void {
    this.#lastSr = (((report.ntpSeconds & 0xffff) << 16) | (report.ntpFraction >>> 16)) >>> 0;
    this.#lastSrAtMs = nowMs;
  }

  /** What the peer says of the stream that we send. */
  noteBlock(block: ReportBlock, clockRateHz: number, unixUs: number): void {
    this.remoteLost = Math.max(0, block.packetsLost);
    this.remoteJitterMs = (block.jitter * 1_000) / clockRateHz;
    if (block.lastSr === 0) return;
    const now = toNtp(unixUs);
    const middle = (((now.seconds & 0xffff) << 16) | (now.fraction >>> 16)) >>> 0;
    const roundTripMs = (((middle - block.lastSr - block.delaySinceLastSr) | 0) * 1_000) / 65_536;
    if (roundTripMs >= 0 && roundTripMs < 60_000) this.roundTripMs = roundTripMs;
  }

  get lost(): number {
    return this.#lostInOthers + this.#lostNow;
  }

  get jitterMs(): number {
    return (this.#jitterTicks * 1_000) / this.#clockRateHz;
  }

  /** For the next receiver report; undefined before anything came. */
  block(nowMs: number): ReportBlock | undefined {
    if (this.ssrc === undefined) return undefined;
    const expected = this.#highest - this.#baseSeq + 1;
    const expectedSince = expected - this.#expectedBefore;
    const receivedSince = this.#streamPackets - this.#receivedBefore;
    this.#expectedBefore = expected;
    this.#receivedBefore = this.#streamPackets;
    return {
      ssrc: this.ssrc,
      fractionLost: expectedSince > 0 ? Math.max(0, (expectedSince - receivedSince) / expectedSince) : 0,
      packetsLost: this.#lostNow,
      highestSequence: this.#highest >>> 0,
      jitter: Math.round(this.#jitterTicks),
      lastSr: this.#lastSr,
      delaySinceLastSr: this.#lastSr === 0 ? 0 : Math.round(((nowMs - this.#lastSrAtMs) * 65_536) / 1_000),
    };
  }

  get #lostNow(): number {
    return this.ssrc === undefined ? 0 : Math.max(0, this.#highest - this.#baseSeq + 1 - this.#streamPackets);
  }

  #begin(ssrc: number, seq: number): void {
    this.#lostInOthers += this.#lostNow;
    this.ssrc = ssrc;
    this.#baseSeq = seq;
    this.#highest = seq;
    this.#streamPackets = 0;
    this.#expectedBefore = 0;
    this.#receivedBefore = 0;
    this.#transit = undefined;
  }
}
