// Owns: the times of a recording: begins at 0 with a whole picture, closes pauses up, leaves no gap in the sound. Pure.
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
/** So far behind the picture. */
const silenceLagUs = 500_000;

export interface RecordClockOptions {
  readonly hasVideo: boolean;
  /** What the sound is, if there is any. */
  readonly sound?: EgressCodec | undefined;
}

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
  /** Taken from the times that come. */
  #offsetUs = 0;
  /** Less than a frame: what follows silence follows it at once. */
  #soundShiftUs = 0;

  constructor(options: RecordClockOptions) {
    this.#options = options;
    this.#silence = options.sound && silences[options.sound];
  }

  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  /** Length of what has been placed. */
  get durationUs(): number {
    return Math.max(this.#endsUs.audio, this.#endsUs.video);
  }

  pause(): void {
    this.#state = 'paused';
  }

  resume(): void {
    if (this.#state === 'paused') this.#state = 'waiting';
  }

  /** @returns what is to be written for it, in order, with the times of the recording; nothing for what has no place in it */
  place(unit: EgressUnit): EgressUnit[] {
    if (this.#state === 'waiting' && this.#begins(unit)) {
      this.#offsetUs = unit.dtsUs - this.durationUs;
      this.#soundShiftUs = 0;
      this.#state = 'running';
    }
    if (this.#state !== 'running') return [];
    return unit.kind === 'audio' ? this.#placeSound(unit) : this.#placePicture(unit);
  }

  #placePicture(unit: EgressUnit): EgressUnit[] {
    const placed = this.#at(unit, this.#offsetUs);
    if (placed.dtsUs < 0) return [];
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
    if (!isJoined && !this.#silence?.isEndless) this.#soundShiftUs += this.#endsUs.audio - dueUs;
    return [...silence, this.#at(unit, this.#offsetUs - this.#soundShiftUs)];
  }

  #at(unit: EgressUnit, offsetUs: number): EgressUnit {
    const dtsUs = Math.round(unit.dtsUs - offsetUs);
    this.#endsUs[unit.kind] = Math.max(this.#endsUs[unit.kind], dtsUs + unit.durationUs);
    return { ...unit, dtsUs, ptsUs: Math.round(unit.ptsUs - offsetUs) };
  }

  #begins({ kind, isKey }: EgressUnit): boolean {
    return this.#options.hasVideo ? kind === 'video' && isKey : true;
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
