// Owns: one time line for all RTP streams of a source, by their sender reports (RFC 3550 §6.4.1).
import type { MediaKind } from '#core/rtp.ts';
import type { RtcpPacket } from '../rtp/rtcp.ts';
import { fromNtp, TimestampUnwrapper, timestampDistance } from '../rtp/sequence.ts';

type SenderReport = Extract<RtcpPacket, { kind: 'sr' }>;

interface StreamTime {
  readonly kind: MediaKind;
  readonly clockRateHz: number;
  readonly unwrapper: TimestampUnwrapper;
  /** Of the first timestamp. */
  baseUs: number;
  beganUs: number;
  lastTimestamp: number;
  lastPtsUs: number;
  /** The report that came before the first packet. */
  early: SenderReport | undefined;
  hasReport: boolean;
}

/** A report that would move a stream by more is wrong (cameras whose clock was never set). */
const maxCorrectionUs = 10_000_000;
/** What reports differ by from one to the next; following it would shake the time stamps. */
const deadBandUs = 5_000;
/** Of a stream without reports: its first packets were kept back somewhere, what follows says better when they were due. */
const findingUs = 2_000_000;

/**
 * A stream lies where its packets of least delay say, until reports tell how streams lie to each other: some senders begin
 * with one, cameras take a second to five. Then pictures are moved, and not sound, which would be heard.
 */
export class RtpSourceClock {
  readonly #streams = new Map<number, StreamTime>();
  /** Sender's wall clock minus our time line. */
  #wallOffsetUs: number | undefined;
  #isBySound = false;

  add(streamId: number, clockRateHz: number, kind: MediaKind = 'video'): void {
    this.#streams.set(streamId, {
      ...{ kind, clockRateHz, unwrapper: new TimestampUnwrapper() },
      ...{ baseUs: Number.NaN, beganUs: 0, lastTimestamp: 0, lastPtsUs: 0, early: undefined, hasReport: false },
    });
  }

  /** @param nowUs arrival */
  toPtsUs(streamId: number, timestamp: number, nowUs: number): number {
    const stream = this.#streams.get(streamId);
    if (!stream) return nowUs;
    const ticks = stream.unwrapper.unwrap(timestamp);
    const passedUs = (ticks * 1e6) / stream.clockRateHz;
    const isFirst = Number.isNaN(stream.baseUs);
    if (isFirst) {
      stream.baseUs = nowUs;
      stream.beganUs = nowUs;
    } else if (!stream.hasReport && nowUs - stream.beganUs < findingUs) {
      stream.baseUs = Math.min(stream.baseUs, nowUs - passedUs);
    }
    stream.lastTimestamp = timestamp;
    stream.lastPtsUs = stream.baseUs + passedUs;
    if (isFirst && stream.early) this.noteReport(streamId, stream.early);
    return stream.lastPtsUs;
  }

  noteReport(streamId: number, report: SenderReport): void {
    const stream = this.#streams.get(streamId);
    if (!stream || report.ntpSeconds === 0) return;
    if (Number.isNaN(stream.baseUs)) {
      stream.early = report;
      return;
    }
    const ticks = timestampDistance(report.rtpTimestamp, stream.lastTimestamp);
    const ptsUs = stream.lastPtsUs + (ticks * 1e6) / stream.clockRateHz;
    const offsetUs = fromNtp(report.ntpSeconds, report.ntpFraction) - ptsUs;
    const correctionUs = offsetUs - (this.#wallOffsetUs ?? offsetUs);
    if (Math.abs(correctionUs) > maxCorrectionUs) return;
    if (this.#wallOffsetUs === undefined || (stream.kind === 'audio' && !this.#isBySound)) {
      for (const other of this.#streams.values()) if (other.hasReport) move(other, -correctionUs);
      this.#wallOffsetUs = offsetUs;
      this.#isBySound = stream.kind === 'audio';
    } else if (Math.abs(correctionUs) >= deadBandUs) {
      move(stream, correctionUs);
    }
    stream.hasReport = true;
  }
}

function move(stream: StreamTime, byUs: number): void {
  stream.baseUs += byUs;
  stream.lastPtsUs += byUs;
}
