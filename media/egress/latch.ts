// Owns: what is so for long enough to be told, and told when it is no longer. Pure.

export interface LatchChange {
  readonly phase: 'begun' | 'over';
  readonly atMs: number;
}

/**
 * ```
 *  quiet ──is so──► maybe ──for minOnMs──► on ──is not──► maybe not ──for minOffMs──► quiet
 *    ◄───is not──────┘                      ◄──is so────────┘
 * ```
 */
export class Latch {
  readonly #minOnMs: number;
  readonly #minOffMs: number;
  #isOn = false;
  #sinceMs: number | undefined;

  constructor(minOnMs: number, minOffMs = 0) {
    this.#minOnMs = minOnMs;
    this.#minOffMs = minOffMs;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** @param nowMs of a clock that only grows @returns what is told, with when it began */
  note(isSo: boolean, nowMs: number): LatchChange | undefined {
    if (isSo === this.#isOn) {
      this.#sinceMs = undefined;
      return undefined;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < (isSo ? this.#minOnMs : this.#minOffMs)) return undefined;
    const atMs = this.#sinceMs;
    this.#isOn = isSo;
    this.#sinceMs = undefined;
    return { phase: isSo ? 'begun' : 'over', atMs };
  }
}
