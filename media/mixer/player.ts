// Owns: recordings that one leg hears, one after the other.

export interface PlayerOptions {
  readonly playId: number;
  /** 48 kHz mono, shared between all who hear them. */
  readonly recordings: readonly Int16Array[];
  readonly isRepeated: boolean;
}

export class Player {
  readonly playId: number;
  readonly #recordings: readonly Int16Array[];
  readonly #isRepeated: boolean;
  #index = 0;
  #position = 0;

  constructor({ playId, recordings, isRepeated }: PlayerOptions) {
    this.playId = playId;
    this.#recordings = recordings.filter(({ length }) => length > 0);
    this.#isRepeated = isRepeated;
  }

  /** Adds the next frame. @returns false when it has come to its end */
  addTo(sum: Float32Array): boolean {
    for (let at = 0; at < sum.length; ) {
      const recording = this.#recordings[this.#index];
      if (!recording) return false;
      const count = Math.min(sum.length - at, recording.length - this.#position);
      for (let i = 0; i < count; i++) sum[at + i] = (sum[at + i] as number) + (recording[this.#position + i] as number);
      at += count;
      this.#position += count;
      if (this.#position < recording.length) continue;
      this.#position = 0;
      this.#index += 1;
      if (this.#isRepeated && this.#index === this.#recordings.length) this.#index = 0;
    }
    return true;
  }
}
