// Owns: changing the sample rate by a whole factor: 8 and 16 kHz to 48 kHz and back. Pure; windowed sinc, polyphase.

const tapsPerPhase = 16;

/** Low-pass at 0.45 of the lower rate, so that what would fold back is 50 dB down. */
function lowPass(factor: number, gain: number): Float32Array {
  const length = tapsPerPhase * factor;
  const taps = new Float32Array(length);
  const cutoff = 0.45 / factor;
  const center = (length - 1) / 2;
  let sum = 0;
  for (let i = 0; i < length; i++) {
    const x = i - center;
    const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x);
    const phase = (2 * Math.PI * i) / (length - 1);
    const blackman = 0.42 - 0.5 * Math.cos(phase) + 0.08 * Math.cos(2 * phase);
    const tap = sinc * blackman;
    taps[i] = tap;
    sum += tap;
  }
  for (let i = 0; i < length; i++) taps[i] = ((taps[i] as number) / sum) * gain;
  return taps;
}

const upTaps = new Map<number, readonly Float32Array[]>();
const downTaps = new Map<number, Float32Array>();

/** One set for each phase, newest sample last. */
function phasesOf(factor: number): readonly Float32Array[] {
  const known = upTaps.get(factor);
  if (known) return known;
  const taps = lowPass(factor, factor);
  const phases = Array.from({ length: factor }, (_, phase) => {
    const set = new Float32Array(tapsPerPhase);
    for (let i = 0; i < tapsPerPhase; i++) set[tapsPerPhase - 1 - i] = taps[i * factor + phase] as number;
    return set;
  });
  upTaps.set(factor, phases);
  return phases;
}

export class Upsampler {
  readonly factor: number;
  readonly #phases: readonly Float32Array[];
  readonly #line: Float32Array;

  /** @param maxSamples longest input, at the lower rate */
  constructor(factor: number, maxSamples: number) {
    this.factor = factor;
    this.#phases = phasesOf(factor);
    this.#line = new Float32Array(tapsPerPhase - 1 + maxSamples);
  }

  /** @param output takes `count` x factor samples */
  process(input: Int16Array, count: number, output: Float32Array): void {
    const { factor } = this;
    const line = this.#line;
    const past = tapsPerPhase - 1;
    for (let i = 0; i < count; i++) line[past + i] = input[i] as number;
    for (let phase = 0; phase < factor; phase++) {
      const taps = this.#phases[phase] as Float32Array;
      for (let i = 0, at = phase; i < count; i++, at += factor) {
        let sum = 0;
        for (let t = 0; t < tapsPerPhase; t++) sum += (line[i + t] as number) * (taps[t] as number);
        output[at] = sum;
      }
    }
    line.copyWithin(0, count, count + past);
  }

  reset(): void {
    this.#line.fill(0);
  }
}

export class Downsampler {
  readonly factor: number;
  readonly #taps: Float32Array;
  readonly #line: Float32Array;
  readonly #past: number;

  /** @param maxSamples longest input, at the higher rate */
  constructor(factor: number, maxSamples: number) {
    this.factor = factor;
    let taps = downTaps.get(factor);
    if (!taps) {
      taps = lowPass(factor, 1);
      downTaps.set(factor, taps);
    }
    this.#taps = taps;
    this.#past = taps.length - factor;
    this.#line = new Float32Array(this.#past + maxSamples);
  }

  /** @param count a multiple of the factor; @param output takes count / factor samples */
  process(input: Int16Array, count: number, output: Int16Array): void {
    const { factor } = this;
    const taps = this.#taps;
    const line = this.#line;
    const past = this.#past;
    for (let i = 0; i < count; i++) line[past + i] = input[i] as number;
    const length = taps.length;
    for (let start = 0, at = 0; start < count; start += factor, at++) {
      let sum = 0;
      for (let t = 0; t < length; t++) sum += (line[start + t] as number) * (taps[t] as number);
      output[at] = sum > 32_767 ? 32_767 : sum < -32_768 ? -32_768 : Math.round(sum);
    }
    line.copyWithin(0, count, count + past);
  }
}
