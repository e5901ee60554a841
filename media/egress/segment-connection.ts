// Owns: a push by segments: HLS or DASH as files that others serve, the playlist after what it names, and what has left it
// taken away. May import: core's words, #wire/segments, its neighbours.
import { basename } from 'node:path';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { dashManifest } from '#wire/segments/dash-manifest.ts';
import { mediaPlaylist } from '#wire/segments/media-playlist.ts';
import { multivariantPlaylist } from '#wire/segments/multivariant-playlist.ts';
import { type Rendition, Timeline } from '#wire/segments/timeline.ts';
import { Fragmenter } from './fragmenter.ts';
import type { PushConnection, PushEnd } from './push-connection.ts';
import type { SegmentStore } from './segment-store.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

export interface SegmentConnectionOptions {
  readonly store: SegmentStore;
  /** Path, or name: `….m3u8` is HLS, `….mpd` is DASH. */
  readonly playlist: string;
  readonly segmentMs: number;
  /** In the playlist; as many again are kept for those who have read an older one. */
  readonly segmentCount: number;
  /** Names of files that a connection before this one has left where these go; its segments are taken away as ours age. */
  readonly left?: readonly string[] | undefined;
  /** Told once, to whoever keeps the origin. */
  readonly onNotice: (what: string) => void;
  readonly limits?: SegmentLimits | undefined;
}

interface File {
  readonly name: string;
  readonly data: Uint8Array;
  readonly contentType: string;
}

/** Bytes. */
export interface SegmentLimits {
  /** What waits for a server or disk that takes nothing; then the connection is given up. Two segments may always. */
  readonly queued: number;
  /** It is kept until it is whole: its length is told before it, and its name after it. */
  readonly segment: number;
}

/** A segment of half a minute at 35 Mbit/s. */
const usualLimits: SegmentLimits = { queued: 32 * 1_048_576, segment: 128 * 1_048_576 };
/** What is on its way when it ends, with the last playlist. */
const closeTimeoutMs = 3_000;
const types = { m3u8: 'application/vnd.apple.mpegurl', mpd: 'application/dash+xml' } as const;

export class SegmentConnection implements PushConnection {
  readonly #options: SegmentConnectionOptions;
  readonly #limits: SegmentLimits;
  readonly #timeline: Timeline;
  readonly #fragmenter: Fragmenter;
  readonly #done = Promise.withResolvers<PushEnd>();
  /** By kind: the number that comes next. */
  readonly #published = new Map<Rendition, number>();
  /** Oldest first, by kind. */
  readonly #names = new Map<Rendition, string[]>();
  readonly #inits = new Set<string>();
  #work: Promise<void> = Promise.resolve();
  #main = '';
  #queuedBytes = 0;
  /** Since segments last became whole. */
  #growingBytes = 0;
  #largestBytes = 0;
  #bytesOut = 0;
  #isOver = false;
  #hasFailed = false;
  #keepsOld = false;

  constructor(options: SegmentConnectionOptions) {
    this.#options = options;
    const { segmentMs, segmentCount, limits = usualLimits } = options;
    this.#limits = limits;
    this.#timeline = new Timeline({
      ...{ partUs: segmentMs * 1_000, segmentUs: segmentMs * 1_000, windowUs: segmentMs * segmentCount * 1_000 },
      maxBytes: 2 * this.#limits.segment,
      // Numbers go on where those of a connection before this one were, or past it: players take them for time.
      firstNumber: Math.floor(Date.now() / segmentMs),
    });
    this.#fragmenter = new Fragmenter({
      onInit: (init) => this.#timeline.begin(init),
      onFragment: (fragment) => {
        this.#growingBytes += fragment.data.byteLength;
        this.#timeline.add(fragment, Date.now());
        this.#publish(false);
        if (this.#growingBytes > this.#limits.segment) this.#fail(tooLarge(this.#limits.segment));
      },
      onUnsupported: ({ codec }) =>
        this.#fail(new GatewayError('unsupported_media_type', `Segments of MP4 do not hold ${codec}.`)),
    });
  }

  get done(): Promise<PushEnd> {
    return this.#done.promise;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  describe(streams: readonly EgressStream[]): void {
    this.#fragmenter.describe(streams);
  }

  write(unit: EgressUnit): void {
    if (!this.#isOver) this.#fragmenter.write(unit);
  }

  /** What there is becomes a last segment, and the playlist says that it was the last. */
  async close(): Promise<void> {
    if (!this.#isOver) {
      this.#fragmenter.flush();
      for (const rendition of this.#timeline.renditions) rendition.endSegment();
      this.#publish(true);
    }
    this.#isOver = true;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, closeTimeoutMs);
    await Promise.race([this.#work, late]);
    clearTimeout(timer);
    this.#options.store.close();
    this.#done.resolve({ code: 'closed', message: 'Ended on request.' });
  }

  /** Everything that has become whole, and a playlist after it. */
  #publish(hasEnded: boolean): void {
    const files = this.#timeline.renditions.flatMap((rendition) => this.#newFilesOf(rendition));
    if (files.length === 0 && !hasEnded) return;
    this.#growingBytes = 0;
    this.#enqueue([...files, ...this.#playlists(hasEnded)]);
    this.#removeOld();
  }

  #newFilesOf(rendition: Rendition): File[] {
    const { kind, segments } = rendition;
    const from = this.#published.get(rendition) ?? 0;
    const fresh = segments.filter(({ number, isComplete }) => isComplete && number >= from);
    const [first] = fresh;
    const last = fresh.at(-1);
    if (!first || !last) return [];
    this.#published.set(rendition, last.number + 1);
    const names = this.#names.get(rendition) ?? this.#leftOf(kind, Math.min(first.number, first.epoch));
    this.#names.set(rendition, names);
    return fresh.flatMap((segment) => {
      const name = `${kind}-${segment.number}.m4s`;
      names.push(name);
      const [whole] = segment.parts;
      const data =
        segment.parts.length === 1 && whole ? whole.data : Buffer.concat(segment.parts.map((part) => part.data));
      rendition.unload(segment.number);
      return [...this.#initOf(rendition, segment.epoch), { name, data, contentType: `${kind}/mp4` }];
    });
  }

  /** Of our own naming alone, and older than what we begin with; the oldest first. */
  #leftOf(kind: string, firstNumber: number): string[] {
    const pattern = new RegExp(`^${kind}-(\\d{1,15})\\.(?:m4s|mp4)$`);
    const numberOf = (name: string) => Number(pattern.exec(name)?.[1] ?? Number.NaN);
    const { left = [] } = this.#options;
    return left.filter((name) => numberOf(name) < firstNumber).sort((one, other) => numberOf(one) - numberOf(other));
  }

  #initOf({ kind }: Rendition, epoch: number): File[] {
    const name = `${kind}-${epoch}.mp4`;
    const track = this.#timeline.epochOf(epoch)?.init.tracks.find((one) => one.kind === kind);
    if (this.#inits.has(name) || !track) return [];
    this.#inits.add(name);
    return [{ name, data: track.init, contentType: `${kind}/mp4` }];
  }

  #playlists(hasEnded: boolean): File[] {
    const timeline = this.#timeline;
    const playlist = basename(this.#options.playlist);
    // Nothing can be played before each kind has something.
    if (timeline.renditions.some((rendition) => !this.#published.has(rendition))) return [];
    if (playlist.endsWith('.mpd')) {
      return [textFile(playlist, dashManifest({ timeline, query: '', nowMs: Date.now() }), types.mpd)];
    }
    const media = timeline.renditions.map((rendition) => {
      const text = mediaPlaylist({ timeline, rendition, query: '', isDelta: false, hasEnded, isStatic: true });
      return textFile(`${rendition.kind}.m3u8`, text, types.m3u8);
    });
    const main = multivariantPlaylist(timeline, '');
    if (main === this.#main) return media;
    this.#main = main;
    return [...media, textFile(playlist, main, types.m3u8)];
  }

  #removeOld(): void {
    const { store, segmentCount } = this.#options;
    for (const names of this.#names.values()) {
      for (const name of names.splice(0, Math.max(0, names.length - 2 * segmentCount - 1))) {
        this.#work = this.#work.then(() => store.remove(name)).catch((thrown) => this.#notRemoved(thrown));
      }
    }
  }

  /** Players do not notice; whoever pays for the disk does. */
  #notRemoved(thrown: unknown): void {
    if (this.#isOver || this.#keepsOld) return;
    this.#keepsOld = true;
    this.#options.onNotice(`Old segments are not taken away: ${toGatewayError(thrown).message}`);
  }

  /** One after the other: a playlist never names what is not there yet. */
  #enqueue(files: readonly File[]): void {
    for (const { data } of files) {
      this.#queuedBytes += data.byteLength;
      this.#largestBytes = Math.max(this.#largestBytes, data.byteLength);
    }
    if (this.#queuedBytes > Math.max(this.#limits.queued, 2 * this.#largestBytes)) {
      this.#fail(new GatewayError('timeout', 'It takes segments more slowly than they are made.'));
      return;
    }
    for (const file of files) this.#work = this.#work.then(() => this.#put(file));
  }

  async #put({ name, data, contentType }: File): Promise<void> {
    this.#queuedBytes -= data.byteLength;
    if (this.#hasFailed) return;
    try {
      await this.#options.store.put(name, data, contentType);
      this.#bytesOut += data.byteLength;
    } catch (thrown) {
      this.#fail(toGatewayError(thrown));
    }
  }

  #fail({ code, message }: GatewayError): void {
    this.#hasFailed = true;
    this.#isOver = true;
    this.#options.store.close();
    this.#done.resolve({ code, message });
  }
}

function tooLarge(bytes: number): GatewayError {
  const why = `it ends with a key picture, and there was none in ${Math.round(bytes / 1_048_576)} MiB`;
  const advice = 'Ask for a lower segments.durationS, or have its source send key pictures more often or fewer bits';
  return new GatewayError('unsupported_media_type', `A segment is too large: ${why}. ${advice}.`);
}

function textFile(name: string, text: string, contentType: string): File {
  return { name, data: Buffer.from(text), contentType };
}
