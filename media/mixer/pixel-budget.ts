// Owns: how much of one stream is decoded: a picture in which nothing moves has a dozen bytes whatever its size, so that a few
// kbit/s could keep a whole media worker busy. Pure. May import: core's words.
import type { ViewInput } from '#core/view-messages.ts';

/** 4096x2160 at 60 pictures a second: a quarter of a core in H264 where nothing moves in them. */
const pixelsPerS = 4_096 * 2_160 * 60;
/** Of the time that they take to that of H264, where nothing moves. */
const weights: Readonly<Record<Codec, number>> = { h264: 1, vp9: 1, av1: 1, vp8: 3 };
/** What may come at once, or late. */
const burstPixels = pixelsPerS / 4;
const restUs = 5_000_000;

type Codec = NonNullable<ViewInput['stream']>['codec'];

export class PixelBudget {
  #owed = 0;
  #lastUs = 0;
  #restsUntilUs = Number.NEGATIVE_INFINITY;

  /** @returns whether that was too much: then it rests */
  spend(pixels: number, codec: Codec, nowUs: number): boolean {
    const passedUs = Math.max(0, nowUs - this.#lastUs);
    this.#lastUs = Math.max(this.#lastUs, nowUs);
    this.#owed = Math.max(0, this.#owed - (passedUs / 1e6) * pixelsPerS) + pixels * weights[codec];
    if (this.#owed <= burstPixels) return false;
    this.#owed = 0;
    this.#restsUntilUs = nowUs + restUs;
    return true;
  }

  isResting(nowUs: number): boolean {
    return nowUs < this.#restsUntilUs;
  }
}
