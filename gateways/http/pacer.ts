// Owns: when units of a file are handed on: at the speed at which they were recorded. May import: core.
import { isDeepStrictEqual } from 'node:util';
import type { SourceSink, SourceStream, SourceUnit } from '#core/media-source.ts';

export type AccessUnit = Extract<SourceUnit, { kind: 'access_unit' }>;

interface Item {
  readonly unit: AccessUnit;
  /** To be announced before it. */
  readonly stream: SourceStream | undefined;
}

/** A reader that falls behind by so much has lost its place: what comes then is played from now on. */
const maxLateUs = 1_000_000;
/** Time stamps that leap ahead by more are another time line. */
const maxEarlyUs = 60_000_000;
/** Of one file or segment: more is not read ahead, however short it plays. */
const maxHeldBytes = 64 * 1024 * 1024;

/**
 * Holds units until they are due by their decoding time. Units of one stream stay in order; those of several are merged.
 * Readers wait by `room()`, so that what is held stays small.
 */
export class Pacer implements SourceSink {
  readonly #sink: SourceSink;
  #items: Item[] = [];
  #heldBytes = 0;
  readonly #described = new Map<number, SourceStream>();
  /** To be told with the next unit. */
  readonly #announced = new Map<number, SourceStream>();
  readonly #lastPushedUs = new Map<number, number>();
  /** Decoding time 0 lies here on the machine's clock. */
  #originUs: number | undefined;
  #positionUs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;
  #isClosed = false;
  readonly #waiting = new Set<() => void>();

  constructor(sink: SourceSink) {
    this.#sink = sink;
  }

  /** Segments repeat themselves: what is as before is not announced again. */
  describe(stream: SourceStream): void {
    if (isDeepStrictEqual(this.#described.get(stream.id), stream)) return;
    this.#described.set(stream.id, stream);
    this.#announced.set(stream.id, stream);
  }

  deliver(unit: SourceUnit): void {
    if (this.#isClosed || unit.kind !== 'access_unit') return;
    const stream = this.#announced.get(unit.streamId);
    this.#announced.delete(unit.streamId);
    this.#insert({ unit, stream });
    this.#heldBytes += unit.data.byteLength;
    this.#lastPushedUs.set(unit.streamId, unit.dtsUs);
    this.#schedule();
  }

  /** Waits until less than so much of the streams is held (all of them when none is named). */
  async room(belowUs: number, streamIds?: readonly number[]): Promise<void> {
    const isFull = () => {
      if (this.#items.length === 0) return false;
      const ahead = [...this.#lastPushedUs].filter(([id]) => streamIds?.includes(id) ?? true);
      const lastUs = Math.min(...ahead.map(([, us]) => us));
      const fromUs = Math.max(this.#positionUs, this.#items[0]?.unit.dtsUs ?? 0);
      return this.#heldBytes > maxHeldBytes || (ahead.length > 0 && lastUs - fromUs >= belowUs);
    };
    while (!this.#isClosed && isFull()) await new Promise<void>((wake) => void this.#waiting.add(wake));
  }

  /** Waits until all has been handed on. */
  async drained(): Promise<void> {
    while (!this.#isClosed && this.#items.length > 0) {
      await new Promise<void>((wake) => void this.#waiting.add(wake));
    }
  }

  hold(): void {
    this.#isHeld = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#originUs = undefined;
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#items = [];
    this.#wake();
  }

  /** Behind everything of its own stream, and behind what others have to do before. */
  #insert(item: Item): void {
    let at = this.#items.length;
    for (; at > 0; at--) {
      const before = this.#items[at - 1]?.unit;
      if (!before || before.streamId === item.unit.streamId || before.dtsUs <= item.unit.dtsUs) break;
    }
    this.#items.splice(at, 0, item);
  }

  #schedule(): void {
    const first = this.#items[0]?.unit;
    if (!first || this.#isHeld || this.#isClosed || this.#timer) return;
    const nowUs = performance.now() * 1_000;
    const dueUs = this.#originUs === undefined ? nowUs : this.#originUs + first.dtsUs;
    if (this.#originUs === undefined || nowUs - dueUs > maxLateUs || dueUs - nowUs > maxEarlyUs) {
      this.#originUs = nowUs - first.dtsUs;
    }
    const waitMs = Math.max(0, (this.#originUs + first.dtsUs - nowUs) / 1_000);
    this.#timer = setTimeout(() => this.#play(), waitMs);
  }

  #play(): void {
    this.#timer = undefined;
    // A timer may come a little early: what is due within its own grain goes too.
    const untilUs = performance.now() * 1_000 - (this.#originUs ?? 0) + 1_000;
    let count = 0;
    for (const { unit, stream } of this.#items) {
      if (unit.dtsUs > untilUs || this.#isClosed || this.#isHeld) break;
      count += 1;
      this.#heldBytes -= unit.data.byteLength;
      this.#positionUs = unit.dtsUs;
      if (stream) this.#sink.describe(stream);
      this.#sink.deliver(unit);
    }
    this.#items.splice(0, count);
    this.#wake();
    this.#schedule();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
