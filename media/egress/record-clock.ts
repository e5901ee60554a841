// Owns: the times of a recording: where it begins, with a whole picture, closes pauses up, leaves no gap in the sound. Pure.
import type { MediaKind } from '#core/rtp.ts';
import type { EgressCodec, EgressUnit } from './sink.ts';

/** What silence is made of, without an encoder. */
interface Silence {
  readonly data: Uint8Array;
  readonly durationUs: number;
  /** A gap that is left as it is. */
  readonly toleratedUs: number;
  /** Follows the picture while nothing is heard at all. */
  readonly isEndless: boolean;
}

const silences: Readonly<Partial<Record<EgressCodec, Silence>>> = {
  // CELT, full band, 20 ms, stereo, nothing in it: RFC 6716 §3.1 and §4.3. A source's clock wobbles.
  opus: { data: Uint8Array.of(0xfc, 0xff, 0xfe), durationUs: 20_000, toleratedUs: 45_000, isEndless: true },
  // AAC-LC, stereo, nothing in it: ISO/IEC 14496-3 §4.4.2.1. It comes out of an encoder, frame by frame, silence too. Players
  // lay its frames end to end, whatever their times say: a gap is sound that comes early from there on.
  aac: {
    data: Uint8Array.of(0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c),
    ...{ durationUs: (1_024 * 1e6) / 48_000, toleratedUs: 2_000, isEndless: false },
  },
};
/** Of times in whole microseconds, over some frames. */
const roundingUs = 100;
/** So far behind the picture. */
const silenceLagUs = 500_000;

export interface RecordClockOptions {
  readonly hasVideo: boolean;
  /** What the sound is, if there is any. */
  readonly sound?: EgressCodec | undefined;
  /** What was captured then comes first; what has come first when it is not said. */
  readonly beginsAtUs?: number | undefined;
}

/** A key picture that is older than that by so much is as good as one of the moment at which it begins. */
const earlyUs = 50_000;
/** For one of that moment it waits so long; then it begins with an older one, and what lies between them passes at once. */
const freshKeyWaitUs = 1_000_000;
const passingStepUs = 1_000;
const maxHeld = 2_000;

/**
 *     waiting ──key picture──> running ──pause()──> paused ──resume()──> waiting
 *
 * Without video the first sound begins it.
 */
export class RecordClock {
  readonly #options: RecordClockOptions;
  readonly #silence: Silence | undefined;
  readonly #endsUs: Record<MediaKind, number> = { audio: 0, video: 0 };
  #state: 'waiting' | 'running' | 'paused' = 'waiting';
  #beginsAtUs: number | undefined;
  #held: EgressUnit[] = [];
  #leastPictureUs = 0;
  /** By the times of the recording. */
  #pausedUs = 0;
  /** Taken from the times that come. */
  #offsetUs = 0;
  /** Less than a frame: what follows silence follows it at once. */
  #soundShiftUs = 0;

  constructor(options: RecordClockOptions) {
    this.#options = options;
    this.#beginsAtUs = options.beginsAtUs;
    this.#silence = options.sound && silences[options.sound];
  }

  /** Length of what has been placed. */
  get durationUs(): number {
    return Math.max(this.#endsUs.audio, this.#endsUs.video);
  }

  /** @param atUs by the times that come: it lasts until then, also if nothing has come for a while */
  pause(atUs?: number): void {
    if (this.#state === 'running' && atUs !== undefined) this.#pausedUs = atUs - this.#offsetUs;
    this.#state = 'paused';
    this.#held = [];
  }

  /** @param atUs it goes on with what was captured then, by the times that come; its picture may be older, or come later */
  resume(atUs?: number): void {
    if (this.#state !== 'paused') return;
    this.#state = 'waiting';
    this.#beginsAtUs = atUs;
  }

  /** @returns what is to be written for it, in order, with the times of the recording; nothing for what has no place in it */
  place(unit: EgressUnit): EgressUnit[] {
    if (this.#state === 'running') return this.#placeNow(unit);
    if (this.#state === 'paused') return [];
    this.#hold(unit);
    if (!this.#mayBegin(unit)) return [];
    const first = this.#held.find(({ kind }) => kind === 'video' || !this.#options.hasVideo) ?? unit;
    this.#begin(this.#beginsAtUs ?? first.dtsUs);
    const placed = this.#held.splice(0).flatMap((held) => this.#placeNow(held));
    return placed.sort((one, other) => one.dtsUs - other.dtsUs);
  }

  /** Whether a key picture would do now: one that is asked for too early is older than the beginning. */
  wantsKeyFrame({ kind, dtsUs }: EgressUnit): boolean {
    if (this.#state !== 'waiting' || kind !== 'video') return false;
    return this.#beginsAtUs === undefined || dtsUs >= this.#beginsAtUs - earlyUs;
  }

  /** Pictures from the newest key picture on, and sound. */
  #hold(unit: EgressUnit): void {
    const isKey = unit.kind === 'video' && unit.isKey;
    if (isKey) this.#held = this.#held.filter(({ kind }) => kind === 'audio');
    const isUseless = unit.kind === 'video' && !isKey && !this.#held.some(({ kind }) => kind === 'video');
    if (!isUseless) this.#held.push(unit);
    if (this.#held.length > maxHeld) this.#held = this.#held.filter(({ kind }) => kind === 'video').slice(0, maxHeld);
  }

  #mayBegin({ kind, isKey, dtsUs }: EgressUnit): boolean {
    if (!this.#options.hasVideo) return true;
    if (kind !== 'video' || !this.#held.some((unit) => unit.kind === 'video')) return false;
    const beginsAtUs = this.#beginsAtUs ?? Number.NEGATIVE_INFINITY;
    return (isKey && dtsUs >= beginsAtUs - earlyUs) || dtsUs >= beginsAtUs + freshKeyWaitUs;
  }

  #begin(atUs: number): void {
    const fromUs = Math.max(this.durationUs, this.#pausedUs);
    this.#offsetUs = atUs - fromUs;
    this.#leastPictureUs = Math.max(fromUs, this.#leastPictureUs);
    this.#soundShiftUs = 0;
    this.#beginsAtUs = undefined;
    this.#state = 'running';
  }

  #placeNow(unit: EgressUnit): EgressUnit[] {
    return unit.kind === 'audio' ? this.#placeSound(unit) : this.#placePicture(unit);
  }

  #placePicture(unit: EgressUnit): EgressUnit[] {
    const latestUs = unit.dtsUs - this.#leastPictureUs;
    const placed = this.#at(unit, Math.min(this.#offsetUs, latestUs));
    this.#leastPictureUs = placed.dtsUs + passingStepUs;
    const silence = this.#silence?.isEndless ? this.#silenceUntil(placed.dtsUs - silenceLagUs) : [];
    return [...silence, placed];
  }

  #placeSound(unit: EgressUnit): EgressUnit[] {
    const { audio: endUs } = this.#endsUs;
    const dueUs = unit.dtsUs - this.#offsetUs + this.#soundShiftUs;
    // Sound that belongs before the beginning, or that silence has taken the place of.
    if (dueUs < endUs - unit.durationUs / 2) return [];
    const isJoined = Math.abs(dueUs - endUs) <= (this.#silence?.toleratedUs ?? Number.POSITIVE_INFINITY);
    const silence = isJoined ? [] : this.#silenceUntil(dueUs);
    const offUs = this.#endsUs.audio - dueUs;
    if (!this.#silence?.isEndless && Math.abs(offUs) > roundingUs) this.#soundShiftUs += offUs;
    return [...silence, this.#at(unit, this.#offsetUs - this.#soundShiftUs)];
  }

  #at(unit: EgressUnit, offsetUs: number): EgressUnit {
    const dtsUs = Math.round(unit.dtsUs - offsetUs);
    this.#endsUs[unit.kind] = Math.max(this.#endsUs[unit.kind], dtsUs + unit.durationUs);
    return { ...unit, dtsUs, ptsUs: Math.round(unit.ptsUs - offsetUs) };
  }

  /** From where the sound ends until it is due, in whole frames: the nearest count where sound follows, no more elsewhere. */
  #silenceUntil(untilUs: number): EgressUnit[] {
    if (!this.#silence) return [];
    const { data, durationUs, isEndless } = this.#silence;
    const frames = (untilUs - this.#endsUs.audio) / durationUs;
    const count = Math.max(0, isEndless ? Math.floor(frames) : Math.round(frames));
    const startUs = this.#endsUs.audio;
    this.#endsUs.audio += count * durationUs;
    return Array.from({ length: count }, (_, n) => {
      const ptsUs = Math.round(startUs + n * durationUs);
      const times = { ptsUs, dtsUs: ptsUs, durationUs: Math.round(durationUs) };
      return { kind: 'audio', isKey: true, data, ...times } as const;
    });
  }
}
