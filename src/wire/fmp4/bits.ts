// Owns: reading the bits of headers that tell a codec's configuration. Pure. May import: nothing.

/** Past the end it reads zeros. */
export class HeaderBits {
  readonly #data: Uint8Array;
  #position = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** @param count up to 32 */
  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#position++) {
      value = value * 2 + (((this.#data[this.#position >> 3] ?? 0) >> (7 - (this.#position & 7))) & 1);
    }
    return value;
  }

  flag(): boolean {
    return this.read(1) === 1;
  }
}
