// Owns: a SourceSink that keeps what it is told and lets a test wait for it.
import type { SourceSink, SourceStream, SourceUnit } from '#core/media-source.ts';

export class CollectingSink implements SourceSink {
  /** Every announcement, oldest first; `stream()` has the last of a kind. */
  readonly described: SourceStream[] = [];
  readonly units: SourceUnit[] = [];
  readonly #waiting = new Set<() => void>();

  describe(stream: SourceStream): void {
    this.described.push(stream);
    this.#wake();
  }

  deliver(unit: SourceUnit): void {
    this.units.push(unit);
    this.#wake();
  }

  stream(kind: 'audio' | 'video'): SourceStream | undefined {
    return this.described.findLast((stream) => stream.kind === kind);
  }

  /** Units of all streams of a kind. */
  of(kind: 'audio' | 'video'): SourceUnit[] {
    const ids = new Set(this.described.filter((stream) => stream.kind === kind).map((stream) => stream.id));
    return this.units.filter((unit) => ids.has(unit.streamId));
  }

  /** Looks again whenever something arrived. The test's own time-out bounds it. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => void this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
