// Owns: who speaks, out of what mediasoup's two observers say. Pure.
//
// mediasoup's dominant speaker is good at turns of a conversation but never says that nobody speaks, names the only
// participant before a word is said, and is silent when the same one speaks again after a pause. The levels know that.

export interface SpeakerLevel {
  readonly producerId: string;
  readonly levelDbov: number;
}

/** A breath between two sentences is shorter. */
export const silenceMs = 2_000;
/** Who has not been heard for so long gives way to who is. */
const staleMs = 1_000;

export class SpeakerChoice {
  #current: string | null = null;
  #dominant: string | null = null;
  #heardAtMs = new Map<string, number>();

  get current(): string | null {
    return this.#current;
  }

  /** mediasoup names another dominant speaker; believed once it is heard. */
  onDominant(producerId: string, nowMs: number): void {
    this.#dominant = producerId;
    if (this.#isHeard(producerId, nowMs)) this.#current = producerId;
  }

  /** @param levels above the threshold, loudest first; not empty */
  onLevels(levels: readonly SpeakerLevel[], nowMs: number): void {
    for (const { producerId } of levels) this.#heardAtMs.set(producerId, nowMs);
    if (this.#current !== null && this.#isHeard(this.#current, nowMs)) return;
    const dominant = levels.find(({ producerId }) => producerId === this.#dominant);
    this.#current = (dominant ?? levels[0])?.producerId ?? null;
  }

  /** Nobody has been above the threshold for `silenceMs`. */
  onSilence(): void {
    this.#current = null;
  }

  forget(producerId: string): void {
    this.#heardAtMs.delete(producerId);
    if (this.#dominant === producerId) this.#dominant = null;
    if (this.#current === producerId) this.#current = null;
  }

  #isHeard(producerId: string, nowMs: number): boolean {
    return nowMs - (this.#heardAtMs.get(producerId) ?? Number.NEGATIVE_INFINITY) <= staleMs;
  }
}
