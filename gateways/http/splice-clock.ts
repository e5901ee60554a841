// Owns: one line of time for recordings that are played one after another: segments, discontinuities, loops. Pure.
// May import: core, its neighbours.
import type { SourceSink, SourceStream, SourceUnit } from '#core/media-source.ts';

/** Between the last picture of one recording and the first of the next, about. */
const spliceUs = 33_000;
/** Recordings whose offset is remembered: those that renditions may be in at the same time. */
const maxKept = 8;

export class SpliceClock {
  readonly #offsets = new Map<string, number>();
  #endUs: number | undefined;

  /**
   * @param recording names what shares one line of time stamps; audio and video of it are moved by the same
   * @returns microseconds to add to its time stamps
   */
  offsetUs(recording: string, firstDtsUs: number): number {
    const known = this.#offsets.get(recording);
    if (known !== undefined) return known;
    const offsetUs = this.#endUs === undefined ? 0 : this.#endUs + spliceUs - firstDtsUs;
    this.#offsets.set(recording, offsetUs);
    const [oldest] = this.#offsets.keys();
    if (this.#offsets.size > maxKept && oldest !== undefined) this.#offsets.delete(oldest);
    return offsetUs;
  }

  note(dtsUs: number): void {
    this.#endUs = Math.max(this.#endUs ?? dtsUs, dtsUs);
  }
}

/** Moves what one recording says to where it belongs. */
export class SplicedSink implements SourceSink {
  readonly #sink: SourceSink;
  readonly #clock: SpliceClock;
  readonly #recording: string;

  constructor(sink: SourceSink, clock: SpliceClock, recording: string) {
    this.#sink = sink;
    this.#clock = clock;
    this.#recording = recording;
  }

  describe(stream: SourceStream): void {
    this.#sink.describe(stream);
  }

  deliver(unit: SourceUnit): void {
    if (unit.kind !== 'access_unit') return;
    const offsetUs = this.#clock.offsetUs(this.#recording, unit.dtsUs);
    const dtsUs = unit.dtsUs + offsetUs;
    this.#clock.note(dtsUs);
    this.#sink.deliver({ ...unit, ptsUs: unit.ptsUs + offsetUs, dtsUs });
  }
}
