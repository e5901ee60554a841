// Owns: fragments of one broadcast as parts and segments, as many as the window holds. Pure: time comes in. May import:
// core types.
import type { LiveFragment, LiveInit, LiveTrack } from '#core/live-media.ts';
import type { MediaKind } from '#core/rtp.ts';

export interface TimelineOptions {
  /** Parts are no longer than this, in microseconds. */
  readonly partUs: number;
  /** Segments of pictures end with the first key picture after this. */
  readonly segmentUs: number;
  /** Complete segments that stay are so long together at the least. */
  readonly windowUs: number;
  /** Of all that is kept; the oldest goes first. */
  readonly maxBytes: number;
  /** Of the first segment, and of the first initialisation: 0 unless others have been before. */
  readonly firstNumber?: number | undefined;
}

export interface Part {
  readonly startUs: number;
  readonly durationUs: number;
  /** Decoding may begin with it. */
  readonly isIndependent: boolean;
  readonly data: Uint8Array;
}

export interface Segment {
  /** Media sequence number. */
  readonly number: number;
  readonly epoch: number;
  readonly startUs: number;
  readonly parts: readonly Part[];
  readonly durationUs: number;
  readonly isComplete: boolean;
}

/** What is read with one initialisation segment. */
export interface Epoch {
  readonly index: number;
  readonly init: LiveInit;
  /** When what is at `originUs` was there, milliseconds since 1970; undefined before its first fragment. */
  readonly originMs: number;
  readonly originUs: number;
}

interface OpenPart {
  startUs: number;
  durationUs: number;
  isIndependent: boolean;
  pieces: Uint8Array[];
}

interface GrowingSegment extends Segment {
  readonly parts: Part[];
  durationUs: number;
  isComplete: boolean;
  bytes: number;
}

/** Parts end when they are so full: RFC 8216bis §4.4.3.7 wants all but the last of a segment to have 85 %. */
const partFillShare = 0.86;

/** One kind of media in one encoding: its segments, the last of which grows. */
export class Rendition {
  /** Part of the names of its files. */
  readonly id: string;
  readonly kind: MediaKind;
  readonly #options: TimelineOptions;
  readonly #segments: GrowingSegment[] = [];
  #part: OpenPart | undefined;
  #nextNumber: number;
  #bytes = 0;
  #longestUs = 0;
  #peakBitrateBps = 0;

  constructor(id: string, kind: MediaKind, options: TimelineOptions) {
    this.id = id;
    this.kind = kind;
    this.#options = options;
    this.#nextNumber = options.firstNumber ?? 0;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The longest segment that there ever was: what a playlist says of its longest must not shrink. */
  get longestUs(): number {
    return this.#longestUs;
  }

  /** Of a complete segment; of what there is before the first. */
  get peakBitrateBps(): number {
    const [first] = this.#segments;
    if (this.#peakBitrateBps > 0 || !first || first.durationUs === 0) return this.#peakBitrateBps;
    return (first.bytes * 8e6) / first.durationUs;
  }

  /** Where the next part will be: its segment's number and its own index. */
  get next(): { readonly number: number; readonly part: number } {
    const last = this.#segments.at(-1);
    if (!last || last.isComplete) return { number: this.#nextNumber, part: 0 };
    return { number: last.number, part: last.parts.length };
  }

  /** Length of the segment that grows, with what is no part yet. */
  get openUs(): number {
    const last = this.#segments.at(-1);
    return (last?.isComplete === false ? last.durationUs : 0) + (this.#part?.durationUs ?? 0);
  }

  find(number: number): Segment | undefined {
    return this.#segments.find((segment) => segment.number === number);
  }

  /** @param cut ends the segment before it */
  add(fragment: LiveFragment, epoch: number, cut: boolean): void {
    if (cut) this.endSegment();
    const { partUs } = this.#options;
    if (this.#part && this.#part.durationUs + fragment.durationUs > partUs) this.#endPart();
    const last = this.#segments.at(-1);
    if (!last || last.isComplete) this.#openSegment(fragment.startUs, epoch);
    this.#part ??= { startUs: fragment.startUs, durationUs: 0, isIndependent: fragment.isKey, pieces: [] };
    this.#part.pieces.push(fragment.data);
    this.#part.durationUs += fragment.durationUs;
    if (this.#part.durationUs >= partUs * partFillShare) this.#endPart();
  }

  endSegment(): void {
    this.#endPart();
    const last = this.#segments.at(-1);
    if (!last || last.isComplete) return;
    last.isComplete = true;
    this.#longestUs = Math.max(this.#longestUs, last.durationUs);
    this.#peakBitrateBps = Math.max(this.#peakBitrateBps, (last.bytes * 8e6) / Math.max(1, last.durationUs));
    this.#trim();
  }

  /** What is in it lies elsewhere as a whole: it stays in the playlist, and takes no room any more. */
  unload(number: number): void {
    const segment = this.#segments.find((one) => one.number === number);
    if (!segment?.isComplete) return;
    this.#bytes -= segment.bytes;
    segment.bytes = 0;
    segment.parts.length = 0;
  }

  dropOldest(): void {
    this.#bytes -= this.#segments.shift()?.bytes ?? 0;
  }

  #openSegment(startUs: number, epoch: number): void {
    this.#segments.push({
      ...{ number: this.#nextNumber++, epoch, startUs, parts: [], durationUs: 0, isComplete: false, bytes: 0 },
    });
  }

  #endPart(): void {
    const segment = this.#segments.at(-1);
    const part = this.#part;
    this.#part = undefined;
    if (!part || !segment) return;
    const { startUs, durationUs, isIndependent, pieces } = part;
    const data = Buffer.concat(pieces);
    segment.parts.push({ startUs, durationUs, isIndependent, data });
    segment.durationUs += durationUs;
    segment.bytes += data.length;
    this.#bytes += data.length;
  }

  #trim(): void {
    let keptUs = this.#segments.reduce((sum, { durationUs }) => sum + durationUs, 0);
    for (let [first] = this.#segments; first; [first] = this.#segments) {
      keptUs -= first.durationUs;
      if (keptUs < this.#options.windowUs) return;
      this.dropOldest();
    }
  }
}

/**
 * All kinds of one broadcast. Pictures lead: with each segment of theirs that ends at a key picture, that of the sound
 * ends at the first fragment that does not begin before it. Without pictures the sound cuts itself. Pictures in several
 * encodings come with their cuts.
 */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #renditions = new Map<string, Rendition>();
  readonly #epochs = new Map<number, Epoch>();
  #epoch: number;
  #init: LiveInit | undefined;
  /** Where the sound's segment is to end. */
  #soundCutUs: number | undefined;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#epoch = (options.firstNumber ?? 0) - 1;
  }

  get options(): TimelineOptions {
    return this.#options;
  }

  get init(): LiveInit | undefined {
    return this.#init;
  }

  /** Of the epoch that grows; one less than the first before it. */
  get epoch(): number {
    return this.#epoch;
  }

  get tracks(): readonly LiveTrack[] {
    return this.#init?.tracks ?? [];
  }

  /** Of what goes out now: pictures, sound, then the pictures in smaller encodings. */
  get renditions(): readonly Rendition[] {
    return allTracks(this.#init).flatMap((track) => this.renditionOf(track) ?? []);
  }

  /** @param id `video`, `audio`; `video1` for the second encoding of a ladder */
  rendition(id: string): Rendition | undefined {
    return this.#renditions.get(id);
  }

  renditionOf(one: Pick<LiveTrack, 'kind' | 'rung'>): Rendition | undefined {
    return this.#renditions.get(renditionId(one));
  }

  /** As long as a segment of it is kept. */
  epochOf(index: number): Epoch | undefined {
    return this.#epochs.get(index);
  }

  begin(init: LiveInit): void {
    for (const rendition of this.#renditions.values()) rendition.endSegment();
    this.#init = init;
    this.#epoch += 1;
    this.#soundCutUs = undefined;
    this.#epochs.set(this.#epoch, { index: this.#epoch, init, originMs: 0, originUs: 0 });
    for (const track of allTracks(init)) {
      const id = renditionId(track);
      const leader = this.#renditions.get('video');
      // One of a ladder that was away goes on with the numbers of the others: players change between them by number.
      const isBehind = track.rung && this.#renditions.get(id)?.next.number !== leader?.next.number;
      if (this.#renditions.has(id) && !isBehind) continue;
      const firstNumber = (track.rung ? leader?.next.number : undefined) ?? this.#options.firstNumber;
      this.#renditions.set(id, new Rendition(id, track.kind, { ...this.#options, firstNumber }));
    }
    this.#forgetEpochs();
  }

  /** @param nowMs milliseconds since 1970 */
  add(fragment: LiveFragment, nowMs: number): void {
    const rendition = this.renditionOf(fragment);
    const epoch = this.#epochs.get(this.#epoch);
    if (!rendition || !epoch) return;
    if (epoch.originMs === 0) {
      const originMs = nowMs - fragment.durationUs / 1_000;
      this.#epochs.set(this.#epoch, { ...epoch, originMs, originUs: fragment.startUs });
    }
    rendition.add(fragment, this.#epoch, this.#isCut(fragment, rendition));
    this.#limit();
  }

  #isCut({ kind, startUs, isKey, isCut, rung = 0 }: LiveFragment, rendition: Rendition): boolean {
    if (kind === 'video' && this.#init?.rungs) {
      if (isCut && rung === 0) this.#soundCutUs = startUs;
      return isCut ?? false;
    }
    // A picture early is in time: key pictures come at their interval, not a picture after it.
    const earlyUs = kind === 'video' ? 50_000 : 1_000;
    const isFull = rendition.openUs >= this.#options.segmentUs - earlyUs;
    const hasPictures = this.tracks.some((track) => track.kind === 'video');
    if (kind === 'video') {
      if (!isKey || !isFull) return false;
      this.#soundCutUs = startUs;
      return true;
    }
    if (!hasPictures) return isFull;
    if (this.#soundCutUs === undefined || startUs < this.#soundCutUs) return false;
    this.#soundCutUs = undefined;
    return true;
  }

  #limit(): void {
    let bytes = 0;
    for (const rendition of this.#renditions.values()) bytes += rendition.bytes;
    while (bytes > this.#options.maxBytes) {
      const [largest] = [...this.#renditions.values()].sort((one, other) => other.bytes - one.bytes);
      if (!largest || largest.segments.length <= 1) return;
      bytes -= largest.bytes;
      largest.dropOldest();
      bytes += largest.bytes;
    }
  }

  #forgetEpochs(): void {
    const kept = new Set([this.#epoch]);
    for (const rendition of this.#renditions.values()) for (const { epoch } of rendition.segments) kept.add(epoch);
    for (const index of this.#epochs.keys()) if (!kept.has(index)) this.#epochs.delete(index);
  }
}

export function renditionId({ kind, rung = 0 }: Pick<LiveTrack, 'kind' | 'rung'>): string {
  return rung === 0 ? kind : `${kind}${rung}`;
}

/** Those of a ladder last. */
export function allTracks(init: LiveInit | undefined): readonly LiveTrack[] {
  return init ? [...init.tracks, ...(init.rungs ?? [])] : [];
}
