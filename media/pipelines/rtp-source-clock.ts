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
  /** Sender's wall clock minus our time line, by the last report. */
  wallOffsetUs: number | undefined;
  /** The last two said the same. */
  isConfirmed: boolean;
  /** It lies to another stream as reports have it. */
  isTied: boolean;
}

/** A report that would move a stream by more is wrong (cameras whose clock was never set). */
const maxCorrectionUs = 10_000_000;
/** What reports differ by from one to the next; following it would shake the time stamps. */
const deadBandUs = 5_000;
/** Two reports that differ by no more say the same. */
const sameUs = 20_000;
/**
 * What reports say of two streams against how their packets arrive. More is believed once both have said it twice: GStreamer's
 * server begins with a report of where its sound stood before PLAY, up to two seconds off, and corrects it six seconds later.
 */
const plausibleUs = { early: 250_000, other: 500_000 };
/** Of a stream without reports: its first packets were kept back somewhere, what follows says better when they were due. */
const findingUs = 2_000_000;

/**
 * A stream lies where its packets of least delay say, until reports tell how streams lie to each other: some senders begin
 * with one, cameras take a second to five. Then pictures are moved, and not sound, which would be heard.
 */
export class RtpSourceClock {
  readonly #streams = new Map<number, StreamTime>();

  add(streamId: number, clockRateHz: number, kind: MediaKind = 'video'): void {
    this.#streams.set(streamId, {
      ...{ kind, clockRateHz, unwrapper: new TimestampUnwrapper() },
      ...{ baseUs: Number.NaN, beganUs: 0, lastTimestamp: 0, lastPtsUs: 0, early: undefined },
      ...{ wallOffsetUs: undefined, isConfirmed: false, isTied: false },
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
    } else if (!stream.isTied && nowUs - stream.beganUs < findingUs) {
      move(stream, Math.min(0, nowUs - passedUs - stream.baseUs));
    }
    stream.lastTimestamp = timestamp;
    stream.lastPtsUs = stream.baseUs + passedUs;
    if (isFirst && stream.early) this.#compare(stream, stream.early, plausibleUs.early);
    return stream.lastPtsUs;
  }

  noteReport(streamId: number, report: SenderReport): void {
    const stream = this.#streams.get(streamId);
    if (!stream || report.ntpSeconds === 0) return;
    if (Number.isNaN(stream.baseUs)) stream.early = report;
    else this.#compare(stream, report, plausibleUs.other);
  }

  #compare(stream: StreamTime, report: SenderReport, believedUs: number): void {
    const ticks = timestampDistance(report.rtpTimestamp, stream.lastTimestamp);
    const ptsUs = stream.lastPtsUs + (ticks * 1e6) / stream.clockRateHz;
    const wallOffsetUs = fromNtp(report.ntpSeconds, report.ntpFraction) - ptsUs;
    stream.isConfirmed = Math.abs(wallOffsetUs - (stream.wallOffsetUs ?? Number.POSITIVE_INFINITY)) < sameUs;
    stream.wallOffsetUs = wallOffsetUs;
    const reported = [...this.#streams.values()].filter((one) => one.wallOffsetUs !== undefined);
    const leader = reported.find(({ kind }) => kind === 'audio') ?? reported[0];
    if (!leader) return;
    for (const other of reported)
      if (other !== leader && [leader, other].includes(stream)) tie(leader, other, believedUs);
  }
}

function tie(leader: StreamTime, other: StreamTime, believedUs: number): void {
  const apartUs = (other.wallOffsetUs ?? 0) - (leader.wallOffsetUs ?? 0);
  if (Math.abs(apartUs) > maxCorrectionUs) return;
  if (Math.abs(apartUs) > believedUs && !(leader.isConfirmed && other.isConfirmed)) return;
  leader.isTied = true;
  other.isTied = true;
  if (Math.abs(apartUs) >= deadBandUs) move(other, apartUs);
}

function move(stream: StreamTime, byUs: number): void {
  stream.baseUs += byUs;
  stream.lastPtsUs += byUs;
  if (stream.wallOffsetUs !== undefined) stream.wallOffsetUs -= byUs;
}
