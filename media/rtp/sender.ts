// Owns: one outgoing RTP stream: numbering, history for those who missed something, sender reports.
import { buildRtp, rtpHeaderLength } from './packet.ts';
import { Replay } from './replay.ts';
import { buildSenderReport } from './rtcp.ts';
import { clockNowUs, RtpTimeline } from './sequence.ts';

export interface RtpPosition {
  readonly ssrc: number;
  /** Of the next packet. */
  readonly sequenceNumber: number;
  readonly rtpTimestamp: number;
  readonly clockUs: number;
}

export interface RtpSenderOptions {
  readonly payloadType: number;
  readonly clockRateHz: number;
  readonly cname: string;
  /** Where to begin; a stream that goes on after its process died leaves a gap in the numbers, as a loss would. */
  readonly position: RtpPosition;
  readonly send: (packet: Buffer) => void;
  /** Frames that come with a level carry it under this id. */
  readonly levelExtensionId?: number | undefined;
}

/** Enough for a group of pictures of 2 s at 7 Mbit/s; mediasoup takes packets up to 1500 late. */
const historyLength = 1_450;
/** Wall clock of the machine's monotonic clock: fixed once, so that streams of one process agree. */
const unixOffsetUs = Date.now() * 1_000 - clockNowUs();

export class RtpSender {
  readonly ssrc: number;
  readonly #options: RtpSenderOptions;
  readonly #timeline: RtpTimeline;
  readonly #history: (Buffer | undefined)[] = new Array(historyLength);
  readonly #replay = new Replay();
  #next: number;
  #keyFrameAt: number | undefined;
  #packetCount = 0;
  #octetCount = 0;

  constructor(options: RtpSenderOptions) {
    const { position } = options;
    this.#options = options;
    this.ssrc = position.ssrc;
    this.#next = position.sequenceNumber;
    this.#timeline = new RtpTimeline(options.clockRateHz, position.rtpTimestamp, position.clockUs);
  }

  get packetCount(): number {
    return this.#packetCount;
  }

  get position(): RtpPosition {
    const clockUs = clockNowUs();
    return {
      ssrc: this.ssrc,
      sequenceNumber: this.#next & 0xffff,
      rtpTimestamp: this.#timeline.timestampAt(clockUs),
      clockUs,
    };
  }

  /**
   * Sends one frame.
   * @param clockUs when it is to be shown, on the machine's monotonic clock
   */
  sendFrame(
    payloads: readonly Uint8Array[],
    clockUs: number,
    options: { isKey?: boolean; marker?: boolean; levelDbov?: number } = {},
  ): void {
    const timestamp = this.#timeline.timestampAt(clockUs);
    if (options.isKey) this.#keyFrameAt = this.#next;
    payloads.forEach((payload, index) => {
      const marker = (options.marker ?? true) && index === payloads.length - 1;
      this.#emit(payload, marker, timestamp, options.levelDbov);
    });
  }

  #emit(payload: Uint8Array, marker: boolean, timestamp: number, dbov: number | undefined): void {
    const sequenceNumber = this.#next & 0xffff;
    const { payloadType, levelExtensionId: extensionId } = this.#options;
    const level = extensionId !== undefined && dbov !== undefined ? { extensionId, dbov } : undefined;
    const packet = buildRtp({ payloadType, marker, sequenceNumber, timestamp, ssrc: this.ssrc, level }, payload);
    this.#history[this.#next % historyLength] = packet;
    this.#next += 1;
    this.#packetCount += 1;
    this.#octetCount += packet.length - rtpHeaderLength;
    this.#options.send(packet);
  }

  /**
   * Sends everything since the last key frame again, under its own numbers: who has it drops it as double, who joins
   * begins with it. The time stamps say that the pictures came in quick succession up to the last one: a browser plays
   * them as fast as it can then, and is where everybody is. By their own times it would take the seconds that lie between
   * the first and the last for seconds by which the last is early, and stand still for as long.
   * @returns false when that is too long ago
   */
  replayFromKeyFrame(): boolean {
    const start = this.#keyFrameAt;
    if (start === undefined || this.#next - start > historyLength) return false;
    const packets: Buffer[] = [];
    for (let at = start; at < this.#next; at++) {
      const packet = this.#history[at % historyLength];
      if (packet) packets.push(packet);
    }
    for (const packet of this.#replay.hasten(packets, start, clockNowUs())) this.#options.send(packet);
    return true;
  }

  /** Sends again what a NACK asks for, as far as it is remembered. */
  resend(sequenceNumbers: readonly number[]): void {
    for (const sequenceNumber of sequenceNumbers) {
      const behind = (this.#next - sequenceNumber) & 0xffff;
      if (behind === 0 || behind > historyLength) continue;
      const packet = this.#history[(this.#next - behind) % historyLength];
      if (packet) this.#options.send(packet);
    }
  }

  /**
   * Tells the receiver what time the timestamps stand for; undefined before the first frame. It speaks of the moment that
   * it leaves at (RFC 3550 §6.4.1): the SFU takes what it arrives later for the distance of the clocks, and with the time
   * of the last frame in it that would be another one with each report.
   */
  report(): Buffer | undefined {
    if (this.#packetCount === 0) return undefined;
    const clockUs = clockNowUs();
    return buildSenderReport({
      ssrc: this.ssrc,
      unixUs: clockUs + unixOffsetUs,
      rtpTimestamp: this.#timeline.timestampAt(clockUs),
      packetCount: this.#packetCount,
      octetCount: this.#octetCount,
      cname: this.#options.cname,
    });
  }
}
