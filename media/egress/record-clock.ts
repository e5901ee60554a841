// Owns: the times of a recording: begins at 0 with a whole picture, closes pauses up, leaves no gap in the sound. Pure.
import type { MediaKind } from '#core/rtp.ts';
import type { EgressUnit } from './sink.ts';

/** CELT, full band, 20 ms, stereo, nothing in it: RFC 6716 §3.1 and §4.3. */
const silentOpus = Uint8Array.of(0xfc, 0xff, 0xfe);
const silenceUs = 20_000;
/** Wobble of a source's clock stays as it is. */
const toleratedGapUs = 45_000;
/** While nothing is heard at all, silence follows the picture at this distance. */
const silenceLagUs = 500_000;

export interface RecordClockOptions {
  readonly hasVideo: boolean;
  /** Only Opus can be filled without an encoder. */
  readonly fillsSound: boolean;
}

/**
 *     waiting ──key picture──> running ──pause()──> paused ──resume()──> waiting
 *
 * Without video the first sound begins it.
 */
export class RecordClock {
  readonly #options: RecordClockOptions;
  readonly #endsUs: Record<MediaKind, number> = { audio: 0, video: 0 };
  #state: 'waiting' | 'running' | 'paused' = 'waiting';
  /** Taken from the times that come. */
  #offsetUs = 0;

  constructor(options: RecordClockOptions) {
    this.#options = options;
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
      this.#state = 'running';
    }
    if (this.#state !== 'running') return [];
    const dtsUs = unit.dtsUs - this.#offsetUs;
    // Sound that belongs before the beginning, or that silence has taken the place of.
    const earliestUs = unit.kind === 'audio' ? this.#endsUs.audio - unit.durationUs / 2 : 0;
    if (dtsUs < earliestUs) return [];
    const placed = { ...unit, dtsUs, ptsUs: unit.ptsUs - this.#offsetUs };
    const gap = unit.kind === 'audio' ? this.#silence(dtsUs, toleratedGapUs) : this.#silence(dtsUs - silenceLagUs, 0);
    this.#endsUs[unit.kind] = Math.max(this.#endsUs[unit.kind], dtsUs + unit.durationUs);
    return [...gap, placed];
  }

  #begins({ kind, isKey }: EgressUnit): boolean {
    return this.#options.hasVideo ? kind === 'video' && isKey : true;
  }

  /** From where the sound ends until it is due, in whole frames. */
  #silence(untilUs: number, toleratedUs: number): EgressUnit[] {
    const missingUs = untilUs - this.#endsUs.audio;
    if (!this.#options.fillsSound || missingUs <= toleratedUs) return [];
    return Array.from({ length: Math.floor(missingUs / silenceUs) }, () => {
      const ptsUs = this.#endsUs.audio;
      this.#endsUs.audio += silenceUs;
      const times = { ptsUs, dtsUs: ptsUs, durationUs: silenceUs };
      return { kind: 'audio', isKey: true, data: silentOpus, ...times } as const;
    });
  }
}
