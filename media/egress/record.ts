// Owns: recording: an egress sink that writes files which play at whatever moment they end. May import: media/av, core's words.
import { EventEmitter } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type RecordSinkSpec, recordCodecs } from '#core/record-sink.ts';
import { failureOf, type WriteFailure } from './growing-file.ts';
import { Interleaver } from './interleaver.ts';
import { RecordClock } from './record-clock.ts';
import { RecordCut } from './record-cut.ts';
import { muxerFormats } from './record-formats.ts';
import { parameterSetsOf, RecordPart } from './record-part.ts';
import type { EgressSink, EgressSinkEvents, EgressStream, EgressUnit } from './sink.ts';

const keyFrameRetryMs = 250;

/**
 * Writes one part after the other into a folder: `0001-<start, ms since 1970>.mp4`. A new one begins at a limit, when the
 * codec or size changes, and when another worker takes over; pauses begin none. They hold what was captured from the moment that
 * it says it records until the one that it is told to stop or pause, however late that comes.
 */
export class RecordSink implements EgressSink {
  readonly events = new EventEmitter<EgressSinkEvents>();
  readonly #spec: RecordSinkSpec;
  readonly #nowUs: (() => number) | undefined;
  readonly #interleaver = new Interleaver();
  readonly #closing = new Set<Promise<void>>();
  #streams: readonly EgressStream[] = [];
  #clock: RecordClock | undefined;
  #part: RecordPart | undefined;
  #isPaused = false;
  #mustRotate = false;
  #keyAskedAtMs = 0;
  #finishedBytes = 0;
  #nextPart: number | undefined;
  /** Somebody was told that it records. */
  #hasBegun = false;
  /** Of the next clock, where it does not begin with what comes. */
  #beginsAtUs: number | undefined;
  #cut: RecordCut | undefined;
  #isOver = false;

  /** @param nowUs on the clock of the units; without it everything counts that has come by now */
  constructor(spec: RecordSinkSpec, nowUs?: () => number) {
    this.#spec = spec;
    this.#nowUs = nowUs;
  }

  get bytesOut(): number {
    return this.#finishedBytes + (this.#part?.bytes ?? 0);
  }

  describe(streams: readonly EgressStream[]): void {
    if (this.#spec.needsVideo && !streams.some(({ kind }) => kind === 'video')) return;
    this.#guarded(() => {
      this.#writeAll(this.#interleaver.drain());
      const isOther = this.#streams.length > 0 && !isSameForFiles(this.#streams, streams);
      this.#streams = streams.filter(({ codec }) => recordCodecs[this.#spec.format].includes(codec));
      if (this.#streams.length === 0) {
        const codecs = streams.map(({ codec }) => codec).join(' and ');
        this.#fail('unsupported_media', `A ${this.#spec.format} file cannot hold ${codecs || 'nothing'}.`);
        return;
      }
      this.#interleaver.expect(this.#streams.map(({ kind }) => kind));
      if (isOther) this.#endPart();
      if (this.#hasVideo) this.#wantKeyFrame();
    });
  }

  write(unit: EgressUnit): void {
    this.#guarded(() => {
      if (this.#cut?.leavesOut(unit)) return;
      this.#begin(unit);
      this.#writeAll(this.#interleaver.push(unit));
    });
  }

  /** What was captured until now is written, what was captured after it is not; it goes on in the same file, where it was. */
  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#guarded(() => (isPaused ? this.#pause() : this.#resume()));
  }

  async finish(): Promise<void> {
    if (this.#isOver) return;
    if (!this.#isPaused) this.#cutNow();
    await this.#cut?.done;
  }

  async close(): Promise<void> {
    this.#cut?.end();
    this.#guarded(() => {
      this.#writeAll(this.#interleaver.drain());
      this.#isOver = true;
      this.#endPart();
    });
    this.#isOver = true;
    await Promise.all(this.#closing);
  }

  /** From the first on that it can begin with it records, however old that is. */
  #begin(unit: EgressUnit): void {
    const isBeginning = !this.#hasVideo || (unit.kind === 'video' && unit.isKey);
    if (this.#hasBegun || this.#streams.length === 0 || !isBeginning) return;
    this.#hasBegun = true;
    this.#part ??= this.#beginPart(unit);
    this.#beginsAtUs = this.#nowUs?.();
    this.events.emit('changed', 'live', 'media_flowing', 'Recording.');
  }

  #cutNow(): void {
    const atUs = this.#nowUs?.();
    const kinds = this.#hasBegun ? this.#streams.map(({ kind }) => kind) : [];
    const cut = new RecordCut(atUs ?? 0, kinds, () => {
      this.#guarded(() => this.#writeAll(this.#interleaver.drain()));
      this.#clock?.pause(atUs);
    });
    this.#cut = cut;
    if (atUs === undefined || kinds.length === 0) cut.end();
  }

  #pause(): void {
    this.#isPaused = true;
    this.#cutNow();
    this.events.emit('changed', 'paused', 'requested', 'Paused.');
  }

  #resume(): void {
    this.#cut?.end();
    this.#cut = undefined;
    this.#isPaused = false;
    const atUs = this.#hasBegun ? this.#nowUs?.() : undefined;
    this.#clock?.resume(atUs);
    if (!this.#clock) this.#beginsAtUs = atUs;
    if (this.#hasVideo) this.#wantKeyFrame();
    if (this.#hasBegun) this.events.emit('changed', 'live', 'media_flowing', 'Recording.');
  }

  get #hasVideo(): boolean {
    return this.#streams.some(({ kind }) => kind === 'video');
  }

  #writeAll(units: readonly EgressUnit[]): void {
    for (const unit of units) if (!this.#isOver) this.#writeOne(unit);
  }

  #writeOne(unit: EgressUnit): void {
    if (this.#part && this.#isCutAt(unit)) this.#endPart();
    if (!this.#clock && this.#hasVideo && !(unit.kind === 'video' && unit.isKey)) {
      this.#wantKeyFrame();
      return;
    }
    this.#clock ??= this.#makeClock();
    const placed = this.#clock.place(unit);
    if (this.#clock.wantsKeyFrame(unit)) this.#wantKeyFrame();
    if (placed.length === 0) return;
    const part = this.#part ?? this.#beginPart(unit);
    for (const one of placed) part.write(one);
    this.#watchLimits(part);
  }

  #makeClock(): RecordClock {
    const sound = this.#streams.find(({ kind }) => kind === 'audio')?.codec;
    const beginsAtUs = this.#beginsAtUs;
    this.#beginsAtUs = undefined;
    return new RecordClock({ hasVideo: this.#hasVideo, sound, beginsAtUs });
  }

  /** A file ends before a picture that can begin the next. */
  #isCutAt(unit: EgressUnit): boolean {
    if (this.#hasVideo && !(unit.kind === 'video' && unit.isKey)) return false;
    if (this.#mustRotate) return true;
    const before = this.#part?.parameterSets;
    const now = parameterSetsOf(unit, this.#streams);
    return before !== undefined && now !== undefined && Buffer.compare(before, now) !== 0;
  }

  #watchLimits(part: RecordPart): void {
    const { segmentMs, segmentBytes } = this.#spec;
    const isLong = segmentMs !== undefined && (this.#clock?.durationUs ?? 0) >= segmentMs * 1_000;
    const isLarge = segmentBytes !== undefined && part.muxedBytes >= segmentBytes;
    if (!isLong && !isLarge) return;
    this.#mustRotate = true;
    if (this.#hasVideo) this.#wantKeyFrame();
  }

  #wantKeyFrame(): void {
    const nowMs = performance.now();
    if (this.#isPaused || nowMs - this.#keyAskedAtMs < keyFrameRetryMs) return;
    this.#keyAskedAtMs = nowMs;
    this.events.emit('keyFrameWanted');
  }

  #beginPart(first: EgressUnit): RecordPart {
    const { folder, format } = this.#spec;
    const number = String(this.#takePartNumber()).padStart(4, '0');
    this.#part = new RecordPart({
      path: join(folder, `${number}-${Date.now()}.${format}`),
      format: muxerFormats[format],
      streams: this.#streams,
      first,
      onFailed: (failure) => this.#failWriting(failure),
    });
    return this.#part;
  }

  /** After those of a worker before this one. */
  #takePartNumber(): number {
    if (this.#nextPart === undefined) {
      mkdirSync(this.#spec.folder, { recursive: true, mode: 0o700 });
      const numbers = readdirSync(this.#spec.folder).map((name) => Number.parseInt(name, 10) || 0);
      this.#nextPart = Math.max(0, ...numbers) + 1;
    }
    return this.#nextPart++;
  }

  #endPart(): void {
    const part = this.#part;
    this.#part = undefined;
    this.#clock = undefined;
    this.#mustRotate = false;
    if (!part) return;
    const closing = part
      .close()
      .catch((error: unknown) => this.#fail('internal', messageOf(error)))
      .then(() => {
        this.#finishedBytes += part.bytes;
        this.#closing.delete(closing);
      });
    this.#closing.add(closing);
  }

  /** What goes wrong in here is told, and ends the recording, not the job's other sinks. */
  #guarded(work: () => void): void {
    if (this.#isOver) return;
    try {
      work();
    } catch (error) {
      if (error instanceof Error && 'code' in error) this.#failWriting(failureOf(error));
      else this.#fail('internal', messageOf(error));
    }
  }

  #failWriting({ reason, message }: WriteFailure): void {
    this.#fail(reason, message);
  }

  #fail(reason: WriteFailure['reason'] | 'internal' | 'unsupported_media', message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // Not now: it may be its own muxer that has just said so.
    setImmediate(() => this.#endPart());
    this.events.emit('changed', 'failed', reason, message);
  }
}

/** Whether one file can hold both; H264 says more in its parameter sets. */
function isSameForFiles(before: readonly EgressStream[], now: readonly EgressStream[]): boolean {
  const keyOf = ({ kind, codec, sampleRateHz, channels }: EgressStream) =>
    [kind, codec, ...(kind === 'audio' ? [sampleRateHz, channels] : [])].join(' ');
  return before.map(keyOf).sort().join() === now.map(keyOf).sort().join();
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
