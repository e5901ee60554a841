// Owns: how the packets of a stream of sound lie to each other by their time stamps: what a jitter buffer has to make up or
// to throw away.
import { timestampDistance } from '#media/rtp/sequence.ts';

/** A gap below is no packet that is missing: the one after it has the wrong time stamp. */
const shortestPacketMs = 2.5;

export class SoundLine {
  readonly #shortestPacket: number;
  #end: number | undefined;
  #samples = 0;
  #missing = 0;
  #torn = 0;

  constructor(rateHz: number) {
    this.#shortestPacket = (shortestPacketMs * rateHz) / 1_000;
  }

  /** @returns samples that are missing before it; negative where it begins within what has been heard */
  push(rtpTimestamp: number, samples: number): number {
    const gap = this.#end === undefined ? 0 : timestampDistance(rtpTimestamp, this.#end);
    this.#end = (rtpTimestamp + samples) >>> 0;
    this.#samples += samples;
    this.#missing += Math.max(0, gap);
    if (gap < 0 || (gap > 0 && gap < this.#shortestPacket)) this.#torn += 1;
    return gap;
  }

  /** Packets that begin before the end of the one before, or a moment behind it: thrown away, or glued with noise. */
  get torn(): number {
    return this.#torn;
  }

  /** Of the time covered. */
  get missingShare(): number {
    return this.#missing / (this.#samples + this.#missing);
  }
}
