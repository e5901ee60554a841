// Owns: the sink whose media goes nowhere: it is looked at and listened to, and what is found is told. May import: media/av,
// core's words, its neighbours.
import { EventEmitter } from 'node:events';
import type { AnalysisSinkSpec, Finding } from '#core/analysis-messages.ts';
import { AudioDecoder } from '../av/audio-decoder.ts';
import { FilterLine } from '../av/filter-line.ts';
import type { Picture } from '../av/picture.ts';
import { Scaler } from '../av/scaler.ts';
import { VideoDecoder } from '../av/video-decoder.ts';
import { FactReader, type Found, pictureChain, soundChain } from './detector-facts.ts';
import type { EgressSink, EgressSinkEvents, EgressStream, EgressUnit } from './sink.ts';

/** Enough to tell black, frozen and moving apart, whatever the shape of the picture was. */
const width = 320;
const height = 180;
const levelsIntervalMs = 1_000;
const sampleRateHz = 48_000;
/** Past so many units that cannot be decoded there is no sense in going on. */
const maxFailures = 500;

/**
 * Pictures are put on the clock of this process as they come. Where none comes the last one stands, as it does for
 * viewers: so it freezes for the detector too.
 */
export class AnalysisSink implements EgressSink {
  readonly events = new EventEmitter<EgressSinkEvents>();
  readonly bytesOut = 0;
  readonly #intervalMs: number;
  readonly #startedMs = performance.now();
  #pictures: { readonly line: FilterLine; readonly reader: FactReader } | undefined;
  #sound: { readonly line: FilterLine; readonly reader: FactReader } | undefined;
  readonly #scaler = new Scaler(width, height);
  readonly #timer: NodeJS.Timeout;
  #videoCodec: EgressStream['codec'] | undefined;
  #videoDecoder: VideoDecoder | undefined;
  #audioDecoder: AudioDecoder | undefined;
  #last: Picture | undefined;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #samples = 0;
  #levelsToldMs = 0;
  #failures = 0;
  #isLive = false;
  #isClosed = false;

  constructor({ detectors, framerateHz }: AnalysisSinkSpec) {
    this.#intervalMs = 1_000 / framerateHz;
    const [seen, heard] = [pictureChain(detectors), soundChain(detectors)];
    const line = (make: () => FilterLine) => ({ line: make(), reader: new FactReader(detectors) });
    try {
      if (seen.length > 0) this.#pictures = line(() => FilterLine.ofPictures(width, height, seen));
      if (heard.length > 0) this.#sound = line(() => FilterLine.ofSound(heard));
    } catch (error) {
      setImmediate(() => this.#fail(error));
    }
    this.#timer = setInterval(() => this.#safely(() => this.#repeat()), this.#intervalMs);
  }

  describe(streams: readonly EgressStream[]): void {
    const video = streams.find(({ kind }) => kind === 'video');
    if (!video || video.codec === this.#videoCodec) return;
    this.#videoCodec = video.codec;
    this.#videoDecoder?.[Symbol.dispose]();
    this.#videoDecoder = undefined;
  }

  write(unit: EgressUnit): void {
    this.#safely(() => (unit.kind === 'video' ? this.#see(unit) : this.#hear(unit)));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const owner of [this.#videoDecoder, this.#audioDecoder, this.#pictures?.line, this.#sound?.line, this.#last]) {
      owner?.[Symbol.dispose]();
    }
    this.#scaler[Symbol.dispose]();
    return Promise.resolve();
  }

  get #nowMs(): number {
    return performance.now() - this.#startedMs;
  }

  #see({ data, ptsUs }: EgressUnit): void {
    const codec = this.#videoCodec;
    if (!this.#pictures || !codec || codec === 'opus' || codec === 'aac') return;
    this.#videoDecoder ??= new VideoDecoder({ codec });
    this.#videoDecoder.decode(data, ptsUs, (picture) => {
      const nowMs = this.#nowMs;
      // A little early is in time: pictures do not come by the clock.
      if (nowMs - this.#lastAtMs < this.#intervalMs * 0.9) return;
      this.#scaler.scale(picture, (scaled) => {
        this.#last?.[Symbol.dispose]();
        this.#last = scaled.keep();
        this.#look(scaled, nowMs);
      });
    });
  }

  /** Nothing has come for longer than two pictures: what was there last stands. */
  #repeat(): void {
    const nowMs = this.#nowMs;
    if (this.#last && nowMs - this.#lastAtMs >= this.#intervalMs * 2) this.#look(this.#last, nowMs);
  }

  #look(picture: Picture, nowMs: number): void {
    this.#lastAtMs = nowMs;
    this.#pictures?.line.pushPicture(picture, nowMs, (facts) => {
      this.#tell(this.#pictures?.reader.read(facts, nowMs) ?? [], nowMs);
    });
    this.#noteLive();
  }

  #hear({ data, ptsUs }: EgressUnit): void {
    if (!this.#sound) return;
    this.#audioDecoder ??= new AudioDecoder({ codec: 'opus', channels: 2, output: { sampleRateHz, channels: 2 } });
    this.#audioDecoder.decode(data, ptsUs, (samples) => {
      const at = this.#samples;
      this.#samples += samples.length / 2;
      const endMs = (this.#samples * 1_000) / sampleRateHz;
      this.#sound?.line.pushSound(samples, at, (facts) => {
        this.#tell(this.#sound?.reader.read(facts, endMs) ?? [], endMs);
      });
      this.#noteLive();
    });
  }

  /** @param nowMs on the clock of what was found: that is now */
  #tell(found: readonly Found[], nowMs: number): void {
    const epochMs = Date.now();
    const sinceLevelsMs = this.#nowMs - this.#levelsToldMs;
    if (found.length === 0 && sinceLevelsMs < levelsIntervalMs) return;
    this.#levelsToldMs = this.#nowMs;
    const findings: Finding[] = found.map(({ atMs, ...rest }) => ({ ...rest, atMs: epochMs - (nowMs - atMs) }));
    this.events.emit('analysed', findings, { ...this.#pictures?.reader.levels, ...this.#sound?.reader.levels });
  }

  #noteLive(): void {
    if (this.#isLive) return;
    this.#isLive = true;
    this.events.emit('changed', 'live', 'media_flowing', 'It is looked at.');
  }

  #safely(work: () => void): void {
    if (this.#isClosed) return;
    try {
      work();
    } catch (error) {
      // A picture of another kind than its codec says, or no memory: the next may be good.
      if (++this.#failures >= maxFailures) this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    void this.close();
    const message = error instanceof Error ? error.message : String(error);
    this.events.emit('changed', 'failed', 'unsupported_media', `It cannot be analysed: ${message}`);
  }
}
