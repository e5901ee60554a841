// Owns: which voices are let through where only the loudest few are. Pure. May import: nothing.

/** Between words and sentences a voice keeps its place so long. */
const silentAfterMs = 1_000;
/** So much louder must one be to take the place of somebody who is speaking. */
const clearlyLouderDb = 6;

interface Voice<Id> {
  readonly id: Id;
  levelDbov: number;
  heardMs: number;
}

/** The order of everybody who was heard: the first few have places, and keep them until one who is heard needs them. */
export class VoiceOrder<Id> {
  readonly #places: number;
  #voices: Voice<Id>[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  /**
   * @param levels of those above the threshold, loudest first
   * @returns whether others have the places now
   */
  hear(levels: readonly { readonly id: Id; readonly levelDbov: number }[], nowMs: number): boolean {
    let hasChanged = false;
    for (const { id, levelDbov } of levels) {
      const voice = this.#voices.find((known) => known.id === id) ?? { id, levelDbov, heardMs: nowMs };
      voice.levelDbov = levelDbov;
      voice.heardMs = nowMs;
      if (this.#voices.slice(0, this.#places).includes(voice)) continue;
      if (this.#place(voice, nowMs)) hasChanged = true;
    }
    return hasChanged;
  }

  /** 0 for the first place; Infinity for who was never heard. */
  rankOf(id: Id): number {
    const position = this.#voices.findIndex((voice) => voice.id === id);
    return position >= 0 ? position : Number.POSITIVE_INFINITY;
  }

  forget(id: Id): void {
    this.#voices = this.#voices.filter((voice) => voice.id !== id);
  }

  #place(voice: Voice<Id>, nowMs: number): boolean {
    const others = this.#voices.filter((known) => known !== voice);
    const placed = others.slice(0, this.#places);
    const quietest = placed.toSorted((a, b) => loudness(a, nowMs) - loudness(b, nowMs))[0];
    const isFree = placed.length < this.#places;
    const mayTake = quietest && loudness(quietest, nowMs) + clearlyLouderDb <= voice.levelDbov;
    if (isFree) this.#voices = [...placed, voice, ...others.slice(this.#places)];
    else if (mayTake) {
      const staying = placed.filter((known) => known !== quietest);
      this.#voices = [...staying, voice, quietest, ...others.slice(this.#places)];
    } else this.#voices = [...placed, voice, ...others.slice(this.#places)];
    return isFree || mayTake === true;
  }
}

function loudness({ levelDbov, heardMs }: Voice<unknown>, nowMs: number): number {
  return nowMs - heardMs > silentAfterMs ? Number.NEGATIVE_INFINITY : levelDbov;
}
