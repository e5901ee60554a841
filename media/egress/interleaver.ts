// Owns: bringing the units of two kinds into one order of time, with little waiting. Pure.
import type { MediaKind } from '#core/rtp.ts';
import type { EgressUnit } from './sink.ts';

/** How far one kind may be behind the other before it is waited for no longer. */
const patienceUs = 300_000;
/** A source that sends nothing but one kind cannot make it hold more. */
const maxHeld = 2_000;

export class Interleaver {
  readonly #queues: Record<MediaKind, EgressUnit[]> = { audio: [], video: [] };
  readonly #newestUs: Partial<Record<MediaKind, number>> = {};
  #kinds: readonly MediaKind[] = [];

  /** @param kinds those that come; what is held of others is dropped */
  expect(kinds: readonly MediaKind[]): void {
    this.#kinds = kinds;
    for (const kind of ['audio', 'video'] as const) if (!kinds.includes(kind)) this.#queues[kind] = [];
  }

  /** @returns what can be written now, by decoding time */
  push(unit: EgressUnit): EgressUnit[] {
    if (!this.#kinds.includes(unit.kind)) return [];
    this.#queues[unit.kind].push(unit);
    this.#newestUs[unit.kind] = unit.dtsUs;
    return this.#take(({ kind, dtsUs }) => this.#isDue(kind, dtsUs));
  }

  /** @returns all that is held */
  drain(): EgressUnit[] {
    return this.#take(() => true);
  }

  #isDue(kind: MediaKind, dtsUs: number): boolean {
    const other = kind === 'audio' ? 'video' : 'audio';
    if (!this.#kinds.includes(other)) return true;
    if ((this.#newestUs[other] ?? Number.NEGATIVE_INFINITY) >= dtsUs) return true;
    return (this.#newestUs[kind] ?? dtsUs) - dtsUs >= patienceUs || this.#queues[kind].length > maxHeld;
  }

  #take(isWanted: (unit: EgressUnit) => boolean): EgressUnit[] {
    const taken: EgressUnit[] = [];
    for (;;) {
      const next = this.#first();
      if (!next || !isWanted(next)) return taken;
      this.#queues[next.kind].shift();
      taken.push(next);
    }
  }

  #first(): EgressUnit | undefined {
    const [audio] = this.#queues.audio;
    const [video] = this.#queues.video;
    if (!audio || !video) return audio ?? video;
    return audio.dtsUs < video.dtsUs ? audio : video;
  }
}
