// Owns: that sound and picture of a source leave together, evenly.
import { clockNowUs } from '../rtp/sequence.ts';

type Kind = 'audio' | 'video';

/** Access units of AAC last 23 ms and come interleaved with pictures: less is never needed, and it is there from the start. */
const startHoldUs = 40_000;
/** A stream that comes so unevenly that more were needed would be too far behind. */
const maxHoldUs = 250_000;
/** One frame in twenty may leave later than the hold; half of a millisecond is what a frame in time takes off. */
const riseUs = 9_500;
const fallUs = 500;
/**
 * Sound that is so much later than the rest has been filled in by its listeners already: played all the same, it would
 * keep them behind the picture until they have caught up by hurrying, for many seconds.
 */
const maxSoundLatenessUs = 200_000;
/** Without a frame of the other kind for so long there is nothing to be in step with. */
const aloneUs = 1_000_000;

interface Waiting {
  readonly kind: Kind;
  readonly clockUs: number;
  readonly send: () => void;
}

/**
 * Browsers bring sound and picture in step by some milliseconds a second only, from wherever their jitter buffers are; and
 * those of sound grow with every unevenness. So frames wait here until `clockUs` plus a hold that all but the latest ones
 * keep: what a decoder, an encoder or an interleaved connection adds to one of the two is added to both.
 *
 * A source of one kind leaves at once.
 */
export class Departures {
  readonly #waiting: Waiting[] = [];
  readonly #holdsUs: Record<Kind, number> = { audio: startHoldUs, video: 0 };
  readonly #lastUs: Record<Kind, number> = { audio: Number.NEGATIVE_INFINITY, video: Number.NEGATIVE_INFINITY };
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param send called once: now, or when it is time
   * @returns false when it is too late for it
   */
  leave(kind: Kind, clockUs: number, send: () => void): boolean {
    const nowUs = clockNowUs();
    this.#lastUs[kind] = nowUs;
    this.#learn(kind, nowUs - clockUs);
    const isAlone = nowUs - this.#lastUs[kind === 'audio' ? 'video' : 'audio'] > aloneUs;
    if (kind === 'audio' && !isAlone && nowUs - clockUs > this.#holdUs + maxSoundLatenessUs) return false;
    const isFirst = !this.#waiting.some((one) => one.kind === kind);
    if (isFirst && (isAlone || clockUs + this.#holdUs <= nowUs)) send();
    else this.#waiting.push({ kind, clockUs, send });
    this.#arm(nowUs);
    return true;
  }

  /** Lets everything go at once. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { send } of this.#waiting.splice(0)) send();
  }

  /** Forgets what waits. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.length = 0;
  }

  get #holdUs(): number {
    return Math.max(this.#holdsUs.audio, this.#holdsUs.video);
  }

  /** A quantile by steps: it stands where so many frames are above it as the steps say. */
  #learn(kind: Kind, lateUs: number): void {
    const before = this.#holdsUs[kind];
    const after = lateUs > before ? before + Math.min(riseUs, lateUs - before) : before - fallUs;
    this.#holdsUs[kind] = Math.max(0, Math.min(maxHoldUs, after));
  }

  #arm(nowUs: number): void {
    if (this.#timer || this.#waiting.length === 0) return;
    const nextUs = Math.min(...this.#waiting.map(({ clockUs }) => clockUs)) + this.#holdUs;
    this.#timer = setTimeout(() => this.#release(), Math.max(0, Math.floor((nextUs - nowUs) / 1_000)));
  }

  #release(): void {
    this.#timer = undefined;
    const nowUs = clockNowUs();
    // Of each kind in the order of coming: what is due waits behind what is not.
    const blocked = new Set<Kind>();
    const due: Waiting[] = [];
    const kept: Waiting[] = [];
    for (const one of this.#waiting) {
      const isDue = !blocked.has(one.kind) && one.clockUs + this.#holdUs <= nowUs + 500;
      if (!isDue) blocked.add(one.kind);
      (isDue ? due : kept).push(one);
    }
    this.#waiting.splice(0, this.#waiting.length, ...kept);
    for (const { send } of due) send();
    this.#arm(nowUs);
  }
}
