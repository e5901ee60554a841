// Owns: the sink whose media is played by RTSP: RTP to the control process, packed once for all players. May import: core's
// words, its neighbours, the pipe.
import { EventEmitter } from 'node:events';
import type { MediaKind } from '#core/rtp.ts';
import type { LiveOutlet } from '../live-pipe.ts';
import { type PayloadTypes, RtpStreams } from './rtp-streams.ts';
import type { EgressSink, EgressSinkEvents, EgressStream, EgressUnit } from './sink.ts';

export interface PlaySinkOptions {
  readonly feed: number;
  readonly payloadTypes: PayloadTypes;
  readonly outlet: Pick<LiveOutlet, 'unit'>;
}

const reportIntervalMs = 1_000;

export class PlaySink implements EgressSink {
  readonly events = new EventEmitter<EgressSinkEvents>();
  readonly #options: PlaySinkOptions;
  readonly #timer: NodeJS.Timeout;
  #rtp: RtpStreams | undefined;
  /** Of the unit that is being packed. */
  #packets: Buffer[] = [];
  /** Something was thrown away: what depends on it would not be decoded. */
  #awaitsKey = false;
  #isLive = false;
  #bytesOut = 0;

  constructor(options: PlaySinkOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#rtp?.report(), reportIntervalMs);
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** A kind that joins later, or goes, begins numbers anew: players find them by the reports. */
  describe(streams: readonly EgressStream[]): void {
    if (this.#rtp?.takes(streams)) return;
    const { payloadTypes } = this.#options;
    this.#rtp = new RtpStreams({ streams, payloadTypes, send: (...packet) => this.#collect(...packet) });
  }

  write(unit: EgressUnit): void {
    const { kind, isKey } = unit;
    if (kind === 'video' && this.#awaitsKey && !isKey) return;
    this.#packets = [];
    this.#rtp?.write(unit);
    if (this.#packets.length > 0) this.#send(kind, isKey, this.#packets);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }

  #collect(kind: MediaKind, what: 'rtp' | 'rtcp', packet: Buffer): void {
    if (what === 'rtp') this.#packets.push(packet);
    else this.#options.outlet.unit(this.#options.feed, { kind, isKey: false, packets: [packet] });
  }

  #send(kind: MediaKind, isKey: boolean, packets: readonly Buffer[]): void {
    const isSent = this.#options.outlet.unit(this.#options.feed, { kind, isKey, packets });
    if (kind === 'video') this.#awaitsKey = !isSent;
    if (!isSent) {
      this.events.emit('keyFrameWanted');
      return;
    }
    this.#bytesOut += packets.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (this.#isLive) return;
    this.#isLive = true;
    this.events.emit('changed', 'live', 'media_flowing', 'Media flows.');
  }
}
