// Owns: one media playlist, played: loaded again while it is live, its segments read in order and in time. May import:
// core, its neighbours.
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { SourceSink, SourceUnit } from '#core/media-source.ts';
import type { MediaKind } from '#core/rtp.ts';
import type { Pacer } from '../pacer.ts';
import { type SpliceClock, SplicedSink } from '../splice-clock.ts';
import type { Fetcher } from './fetcher.ts';
import type { MediaPlaylist, Segment } from './playlist.ts';
import { SegmentReader } from './segment-reader.ts';

export interface RenditionOptions {
  readonly url: URL;
  readonly fetcher: Fetcher;
  readonly pacer: Pacer;
  /** One for all renditions of a source. */
  readonly clock: SpliceClock;
  readonly kinds: readonly MediaKind[];
  readonly signal: AbortSignal;
  /** A playlist that brings nothing new for so long is given up; three target durations are waited for in any case. */
  readonly stallTimeoutMs: number;
  readonly onTargetDuration: (seconds: number) => void;
  /** Called when the first segment has been read. */
  readonly onFirst: () => void;
}

/** RFC 8216 §6.3.3: who begins nearer to the end of a live playlist runs dry. */
const liveSegments = 3;
/** In a row; after that it is not the segment but the server. */
const maxMissing = 3;
const streamIds = { video: 0, audio: 1 } as const;

export class Rendition {
  readonly #options: RenditionOptions;
  readonly #ids: readonly number[];
  #nextSequence: number | undefined;
  #reader: SegmentReader | undefined;
  #recording = '';
  /** Counts time lines that nobody has announced: what was missed, a server that began anew. */
  #breaks = 0;
  #missing = 0;
  #units = 0;

  constructor(options: RenditionOptions) {
    this.#options = options;
    this.#ids = options.kinds.map((kind) => streamIds[kind]);
  }

  /**
   * Plays to the end of what was or will be recorded.
   * @param first the playlist, where it has been loaded already
   * @throws GatewayError when it cannot go on
   */
  async play(first?: { readonly playlist: MediaPlaylist; readonly base: URL }): Promise<void> {
    const { signal } = this.#options;
    let loaded = first ?? (await this.#load());
    let loadedMs = performance.now();
    let lastNewMs = loadedMs;
    for (;;) {
      const { playlist, base } = loaded;
      const isNew = await this.#playNew(playlist, base);
      if (signal.aborted || playlist.isEnded) return;
      if (isNew) lastNewMs = performance.now();
      this.#assertFresh(playlist, lastNewMs);
      // §6.3.4: a target duration after it was loaded last, or half of that where nothing was new.
      const dueMs = loadedMs + (playlist.targetDurationS * 1_000) / (isNew ? 1 : 2);
      await delay(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      loadedMs = performance.now();
      loaded = await this.#load();
    }
  }

  async #load(): Promise<{ playlist: MediaPlaylist; base: URL }> {
    const { playlist, base } = await this.#options.fetcher.playlist(this.#options.url);
    if (playlist.kind === 'media') return { playlist, base };
    throw new GatewayError('unsupported_media_type', 'An HLS playlist of variants names another one of variants.');
  }

  #assertFresh({ targetDurationS }: MediaPlaylist, lastNewMs: number): void {
    const limitMs = Math.max(this.#options.stallTimeoutMs, 3 * targetDurationS * 1_000);
    if (performance.now() - lastNewMs < limitMs) return;
    throw new GatewayError('timeout', `The HLS playlist has brought nothing new for ${Math.round(limitMs / 1_000)} s.`);
  }

  /** @returns whether there was anything */
  async #playNew(playlist: MediaPlaylist, base: URL): Promise<boolean> {
    const { signal, pacer } = this.#options;
    const fresh = this.#freshOf(playlist);
    if (!playlist.isEnded) this.#options.onTargetDuration(playlist.targetDurationS);
    for (const segment of fresh) {
      if (signal.aborted) break;
      await this.#playSegment(segment, base);
      this.#nextSequence = segment.sequence + 1;
      // One segment is read ahead while another is played.
      await pacer.room(segment.durationS * 1_000_000, this.#ids);
    }
    return fresh.length > 0;
  }

  #freshOf({ segments, isEnded, targetDurationS }: MediaPlaylist): readonly Segment[] {
    const last = segments.at(-1);
    const next = this.#nextSequence;
    if (next === undefined) return isEnded ? segments : segments.slice(liveStart(segments, targetDurationS));
    // Numbers far below those that were: the server has begun anew.
    if (last !== undefined && last.sequence < next - Math.max(10, segments.length)) {
      this.#breaks += 1;
      return segments.slice(liveStart(segments, targetDurationS));
    }
    const fresh = segments.filter(({ sequence }) => sequence >= next);
    if (fresh[0] && fresh[0].sequence > next) this.#breaks += 1; // what lies between has gone from the playlist
    return fresh;
  }

  async #playSegment(segment: Segment, base: URL): Promise<void> {
    if (segment.isGap) return;
    try {
      const { data, map } = await this.#options.fetcher.segment(segment, base);
      const unitsBefore = this.#units;
      await this.#readerOf(segment).read(data, map);
      this.#missing = 0;
      if (unitsBefore === 0 && this.#units > 0) this.#options.onFirst();
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const mayBeMissed = error.code === 'upstream_failed' || error.code === 'timeout' || error.code === 'too_large';
      if (this.#options.signal.aborted || !mayBeMissed || ++this.#missing >= maxMissing) throw thrown;
      this.#breaks += 1;
    }
  }

  /** Another one for each time line. */
  #readerOf({ discontinuity }: Segment): SegmentReader {
    const recording = `${discontinuity}/${this.#breaks}`;
    if (this.#reader && recording === this.#recording) return this.#reader;
    this.#recording = recording;
    const { pacer, clock, signal } = this.#options;
    const sink = new SplicedSink(new KindFilter(pacer, this.#ids, () => void this.#units++), clock, recording);
    this.#reader = new SegmentReader(sink, signal);
    return this.#reader;
  }
}

/** @returns index of the first segment to be played of a live playlist */
function liveStart(segments: readonly Segment[], targetDurationS: number): number {
  let left = liveSegments * targetDurationS;
  let index = segments.length;
  while (index > 0 && left > 0) left -= segments[--index]?.durationS ?? 0;
  return index;
}

/** A variant whose sound is elsewhere may have some of its own. */
class KindFilter implements SourceSink {
  readonly #sink: SourceSink;
  readonly #ids: readonly number[];
  readonly #onUnit: () => void;

  constructor(sink: SourceSink, ids: readonly number[], onUnit: () => void) {
    this.#sink = sink;
    this.#ids = ids;
    this.#onUnit = onUnit;
  }

  describe(stream: Parameters<SourceSink['describe']>[0]): void {
    if (this.#ids.includes(stream.id)) this.#sink.describe(stream);
  }

  deliver(unit: SourceUnit): void {
    if (!this.#ids.includes(unit.streamId)) return;
    this.#onUnit();
    this.#sink.deliver(unit);
  }
}
