// Owns: one time line for all RTP streams of a source, by their sender reports (RFC 3550 §6.4.1).
import type { RtcpPacket } from '../rtp/rtcp.ts';
import { fromNtp, TimestampUnwrapper, timestampDistance } from '../rtp/sequence.ts';

interface StreamTime {
  readonly clockRateHz: number;
  readonly unwrapper: TimestampUnwrapper;
  /** Of the first timestamp. */
  baseUs: number;
  lastTimestamp: number;
  lastPtsUs: number;
}

/** A report that would move a stream by more is wrong (cameras whose clock was never set). */
const maxCorrectionUs = 10_000_000;
/** What reports differ by from one to the next; following it would shake the time stamps. */
const deadBandUs = 5_000;

export class RtpSourceClock {
  readonly #streams = new Map<number, StreamTime>();
  /** Sender's wall clock minus our time line, by the first report. */
  #wallOffsetUs: number | undefined;

  add(streamId: number, clockRateHz: number): void {
    this.#streams.set(streamId, {
      clockRateHz,
      unwrapper: new TimestampUnwrapper(),
      baseUs: Number.NaN,
      lastTimestamp: 0,
      lastPtsUs: 0,
    });
  }

  /** @param nowUs arrival; where the first packet of a stream lies until its sender says better */
  toPtsUs(streamId: number, timestamp: number, nowUs: number): number {
    const stream = this.#streams.get(streamId);
    if (!stream) return nowUs;
    const ticks = stream.unwrapper.unwrap(timestamp);
    if (Number.isNaN(stream.baseUs)) stream.baseUs = nowUs;
    stream.lastTimestamp = timestamp;
    stream.lastPtsUs = stream.baseUs + (ticks * 1e6) / stream.clockRateHz;
    return stream.lastPtsUs;
  }

  noteReport(streamId: number, report: Extract<RtcpPacket, { kind: 'sr' }>): void {
    const stream = this.#streams.get(streamId);
    if (!stream || Number.isNaN(stream.baseUs) || report.ntpSeconds === 0) return;
    const wallUs = fromNtp(report.ntpSeconds, report.ntpFraction);
    const ticks = timestampDistance(report.rtpTimestamp, stream.lastTimestamp);
    const ptsUs = stream.lastPtsUs + (ticks * 1e6) / stream.clockRateHz;
    this.#wallOffsetUs ??= wallUs - ptsUs;
    const correctionUs = wallUs - this.#wallOffsetUs - ptsUs;
    if (Math.abs(correctionUs) < deadBandUs || Math.abs(correctionUs) > maxCorrectionUs) return;
    stream.baseUs += correctionUs;
    stream.lastPtsUs += correctionUs;
  }
}
