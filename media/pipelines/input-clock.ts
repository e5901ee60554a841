// Owns: where the time stamps of one stream of a room lie on the machine's monotonic clock: when they were captured where
// sender reports say so, and by arrival until then.
import type { StreamTimeline } from '#core/rtp.ts';
import { CaptureClock } from '../rtp/capture-clock.ts';
import { timestampDistance } from '../rtp/sequence.ts';
import type { UnpackerClock } from './rtp-unpacker.ts';
import { SourceClock } from './source-clock.ts';

export class InputClock implements UnpackerClock {
  /** To be told of the stream's reports. */
  readonly capture: CaptureClock;
  readonly #clockRateHz: number;
  readonly #arrival = new SourceClock();
  #lastTimestamp: number | undefined;
  #lastUs = 0;

  constructor(clockRateHz: number, timeline?: StreamTimeline) {
    this.#clockRateHz = clockRateHz;
    this.capture = new CaptureClock(clockRateHz, timeline);
  }

  /** One stream is all there is. */
  add(): void {
    // Its rate is known.
  }

  toPtsUs(_streamId: number, timestamp: number, nowUs: number): number {
    return this.place(timestamp, nowUs);
  }

  /** For a unit that has just come. */
  place(timestamp: number, nowUs: number): number {
    this.#lastUs = this.#toUs(timestamp);
    this.#lastTimestamp = timestamp;
    const arrivedUs = this.#arrival.place({ ptsUs: this.#lastUs, dtsUs: this.#lastUs }, nowUs);
    return this.capture.at(timestamp, nowUs) ?? arrivedUs;
  }

  /** For one near what came last. */
  at(timestamp: number, nowUs: number): number {
    return this.capture.at(timestamp, nowUs) ?? this.#arrival.at(this.#toUs(timestamp));
  }

  #toUs(timestamp: number): number {
    if (this.#lastTimestamp === undefined) return 0;
    return this.#lastUs + (timestampDistance(timestamp, this.#lastTimestamp) * 1e6) / this.#clockRateHz;
  }
}
