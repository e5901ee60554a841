// Owns: how late one voice is in the mix: from its capture until the beat that plays it. May import: media/pipelines.

import type { StreamTimeline } from '#core/rtp.ts';
import { InputClock } from '../pipelines/input-clock.ts';
import type { CaptureClock } from '../rtp/capture-clock.ts';

/** Time stamps wobble by some milliseconds: a twentieth of each is followed, which takes half a second. */
const followed = 0.05;
/** The jitter buffer has made room, or taken it back. */
const maxWobbleUs = 15_000;
/** Nobody sees less, and it is not worth more than two messages a second. */
const toldMs = 4;
const toldBeats = 25;
/** What is later than this is no delay but a clock that is wrong. */
const maxDelayUs = 1_000_000;

export interface VoiceDelayMeterOptions {
  readonly clockRateHz: number;
  readonly timeline?: StreamTimeline | undefined;
  /** What encoders look ahead is heard so much later than stamps say. */
  readonly codecDelayMs: number;
}

export class VoiceDelayMeter {
  readonly #clock: InputClock;
  readonly #codecDelayUs: number;
  #delayUs: number | undefined;
  #toldMs = Number.POSITIVE_INFINITY;
  #beats = 0;

  constructor({ clockRateHz, timeline, codecDelayMs }: VoiceDelayMeterOptions) {
    this.#clock = new InputClock(clockRateHz, timeline);
    this.#codecDelayUs = codecDelayMs * 1_000;
  }

  get captureClock(): CaptureClock {
    return this.#clock.capture;
  }

  /** A packet has come. */
  note(timestamp: number, nowUs: number): void {
    this.#clock.place(timestamp, nowUs);
  }

  /** @param timestamp of the first sample that is played at `beatUs` */
  measure(timestamp: number, beatUs: number): void {
    const delayUs = beatUs - this.#clock.at(timestamp, beatUs) + this.#codecDelayUs;
    if (delayUs < 0 || delayUs > maxDelayUs) return;
    const before = this.#delayUs;
    const isFar = before === undefined || Math.abs(delayUs - before) > maxWobbleUs;
    this.#delayUs = isFar ? delayUs : before + (delayUs - before) * followed;
  }

  /**
   * Once a beat.
   * @returns milliseconds that are worth telling; undefined for nothing new
   */
  news(): number | undefined {
    this.#beats += 1;
    if (this.#delayUs === undefined) return undefined;
    const delayMs = Math.round(this.#delayUs / 1_000);
    const differenceMs = Math.abs(delayMs - this.#toldMs);
    const isUrgent = differenceMs * 1_000 >= maxWobbleUs;
    if (!isUrgent && (differenceMs < toldMs || this.#beats < toldBeats)) return undefined;
    this.#beats = 0;
    this.#toldMs = delayMs;
    return delayMs;
  }
}
