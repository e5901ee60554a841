// Owns: reading bits and Exp-Golomb codes of NAL unit payloads.

/** Takes the emulation prevention bytes out (H.264 §7.4.1, H.265 §7.4.2.1). @param limit bytes of input that matter */
export function unescapeNal(nal: Uint8Array, limit = nal.length): Uint8Array {
  const end = Math.min(nal.length, limit);
  const output = new Uint8Array(end);
  let length = 0;
  let zeros = 0;
  for (let i = 0; i < end; i++) {
    const byte = nal[i] ?? 0;
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    output[length++] = byte;
  }
  return output.subarray(0, length);
}

/** Past the end it reads zeros and says so by `isExhausted`. */
export class BitReader {
  readonly #data: Uint8Array;
  #position = 0;

  constructor(data: Uint8Array, startByte = 0) {
    this.#data = data;
    this.#position = startByte * 8;
  }

  get isExhausted(): boolean {
    return this.#position > this.#data.length * 8;
  }

  bit(): number {
    const byte = this.#data[this.#position >> 3] ?? 0;
    const value = (byte >> (7 - (this.#position & 7))) & 1;
    this.#position += 1;
    return value;
  }

  /** @param count up to 32 */
  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.bit();
    return value;
  }

  skip(count: number): void {
    this.#position += count;
  }

  /** ue(v), H.264 §9.1. */
  unsigned(): number {
    let zeros = 0;
    while (this.bit() === 0) {
      if (++zeros > 32 || this.isExhausted) return 0;
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** se(v). */
  signed(): number {
    const code = this.unsigned();
    return code % 2 ? (code + 1) / 2 : -code / 2;
  }
}
