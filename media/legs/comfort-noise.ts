// Owns: comfort noise, RFC 3389: its level in the one byte that everybody fills in; spectra are left out. Pure.

/** @param levelDbov -127..0 */
export function writeNoise(levelDbov: number): Buffer {
  return Buffer.from([Math.max(0, Math.min(127, Math.round(-levelDbov)))]);
}

/** White noise, quiet enough that nobody minds its colour. */
export class NoiseSource {
  #state = 0x2545f491;

  /** Adds noise. @param levelDbov of all of it, relative to a full-scale square wave */
  add(samples: Float32Array, levelDbov: number): void {
    // Uniform noise of amplitude a has the power a²/3.
    const amplitude = 32_768 * 10 ** (levelDbov / 20) * Math.sqrt(3);
    let state = this.#state;
    for (let i = 0; i < samples.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      samples[i] = (samples[i] as number) + (state / 0x80000000) * amplitude;
    }
    this.#state = state;
  }
}
