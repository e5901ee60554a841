// Owns: the units since the last key frame, as far as they are worth keeping.

const maxBytes = 8 * 1024 * 1024;
const maxUnits = 1_024;

/** Empty until a key frame comes, and again when a group grows past its bounds. */
export class GopCache<Unit> {
  #units: Unit[] = [];
  #byteLength = 0;

  get units(): readonly Unit[] {
    return this.#units;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  push(unit: Unit, byteLength: number, isKey: boolean): void {
    if (isKey) this.clear();
    else if (this.#units.length === 0) return;
    this.#units.push(unit);
    this.#byteLength += byteLength;
    if (this.#byteLength > maxBytes || this.#units.length > maxUnits) this.clear();
  }

  clear(): void {
    this.#units = [];
    this.#byteLength = 0;
  }
}
