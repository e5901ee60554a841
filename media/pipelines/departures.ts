// Owns: that sound and picture of a source leave together, evenly.
import type { IngressLatency } from '#core/job.ts';
import { clockNowUs } from '../rtp/sequence.ts';

type Kind = 'audio' | 'video';

/** Access units of AAC last 23 ms and come interleaved with pictures: less is never needed, and it is there from the start. */
const startHoldUs = 40_000;
/**
 * What a browser's jitter buffer keeps of sound, and not of pictures, until it has had the sender reports that tell it
 * better, and for the many seconds that it takes to follow them: sound leaves so much sooner.
 */
const soundLeadUs = 50_000;
/** A stream that comes so unevenly that more were needed would be too far behind. */
const maxHoldUs = 250_000;
/**
 * One frame in twenty may leave later than the hold; a tenth of a millisecond is what a frame in time takes off: a listener's
 * jitter buffer grows by what sound comes unevenly, and takes sound that comes ever sooner for a clock that runs fast.
 */
const riseUs = 1_900;
const fallUs = 100;
/** Of what a frame is later than the hold: a machine that stands still now and then is not followed by tenths of a millisecond. */
const riseShare = 0.1;
/**
 * Sound that is so much later than the rest has been filled in by its listeners already: played all the same, it would
 * keep them behind the picture until they have caught up by hurrying, for many seconds.
 */
const maxSoundLatenessUs = 200_000;
/** Of each kind: what the holds begin with. */
const recentFrames = 24;
/** Without a frame of the other kind for so long there is nothing to be in step with. */
const aloneUs = 1_000_000;

interface Waiting {
  readonly kind: Kind;
  /** When it leaves, without the hold. */
  readonly dueUs: number;
  readonly send: () => void;
}

export interface DeparturesOptions {
  /** `low`: nothing waits. A browser finds for itself, in some ten seconds, what is in step. */
  readonly latency?: IngressLatency | undefined;
}

/**
 * Browsers bring sound and picture in step by some milliseconds a second only, from wherever their jitter buffers are; and
 * those of sound grow with every unevenness. So frames wait here until `clockUs` plus a hold that all but the latest ones
 * keep: what a decoder, an encoder or an interleaved connection adds to one of the two is added to both.
 *
 * A source of one kind leaves at once.
 */
export class Departures {
  readonly #isLow: boolean;
  readonly #waiting: Waiting[] = [];
  readonly #holdsUs: Record<Kind, number> = { audio: startHoldUs, video: 0 };
  readonly #recentUs: Record<Kind, number[]> = { audio: [], video: [] };
  readonly #lastUs: Record<Kind, number> = { audio: Number.NEGATIVE_INFINITY, video: Number.NEGATIVE_INFINITY };
  #hasBegun = false;
  #timer: NodeJS.Timeout | undefined;
  #timerUs = 0;

  constructor({ latency = 'smooth' }: DeparturesOptions = {}) {
    this.#isLow = latency === 'low';
  }

  /** The source has it; what is of the other kind waits for its first frame. */
  expect(kind: Kind): void {
    this.#lastUs[kind] = clockNowUs();
  }

  /** A frame that comes and is not sent: how late it is counts all the same. */
  note(kind: Kind, clockUs: number): void {
    const nowUs = clockNowUs();
    this.#lastUs[kind] = nowUs;
    this.#learn(kind, nowUs - clockUs);
  }

  /**
   * @param send called once: now, or when it is time
   * @returns false when it is too late for it
   */
  leave(kind: Kind, clockUs: number, send: () => void): boolean {
    const nowUs = clockNowUs();
    this.note(kind, clockUs);
    if (kind === 'audio') this.#begin();
    const isAlone = nowUs - this.#lastUs[kind === 'audio' ? 'video' : 'audio'] > aloneUs;
    if (kind === 'audio' && !isAlone && nowUs - clockUs > this.#holdUs + maxSoundLatenessUs) return false;
    const isFirst = !this.#waiting.some((one) => one.kind === kind);
    const dueUs = clockUs + (kind === 'video' ? soundLeadUs : 0);
    if (isFirst && (this.#isLow || isAlone || dueUs + this.#holdUs <= nowUs)) send();
    else this.#waiting.push({ kind, dueUs, send });
    this.#arm(nowUs);
    return true;
  }

  /**
   * Whoever looks comes new, or the source does: how long frames wait is decided anew, by the last ones. What was late while
   * decoders, encoders and connections began says nothing of what follows.
   */
  beginAnew(): void {
    this.#hasBegun = false;
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

  /** With what the last frames needed, as it moves slowly from there. */
  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    for (const kind of ['audio', 'video'] as const) {
      const recent = this.#recentUs[kind].toSorted((a, b) => a - b);
      const mostUs = recent[Math.floor(recent.length * 0.9)];
      if (recent.length >= recentFrames / 2) this.#holdsUs[kind] = bounded(mostUs ?? 0);
    }
  }

  /** A quantile by steps: it stands where so many frames are above it as the steps say. */
  #learn(kind: Kind, lateUs: number): void {
    const before = this.#holdsUs[kind];
    const excessUs = lateUs - before;
    const stepUs = excessUs > 0 ? Math.min(excessUs, Math.max(riseUs, excessUs * riseShare)) : -fallUs;
    this.#holdsUs[kind] = bounded(before + stepUs);
    if (this.#recentUs[kind].push(lateUs) > recentFrames) this.#recentUs[kind].shift();
  }

  #arm(nowUs: number): void {
    if (this.#waiting.length === 0) return;
    const nextUs = Math.min(...this.#waiting.map(({ dueUs }) => dueUs)) + this.#holdUs;
    // A picture that is waited for is no reason for sound that has come since to be late.
    if (this.#timer && nextUs >= this.#timerUs) return;
    clearTimeout(this.#timer);
    this.#timerUs = nextUs;
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
      const isDue = !blocked.has(one.kind) && one.dueUs + this.#holdUs <= nowUs + 500;
      if (!isDue) blocked.add(one.kind);
      (isDue ? due : kept).push(one);
    }
    this.#waiting.splice(0, this.#waiting.length, ...kept);
    for (const { send } of due) send();
    this.#arm(nowUs);
  }
}

const bounded = (holdUs: number) => Math.max(0, Math.min(maxHoldUs, holdUs));
