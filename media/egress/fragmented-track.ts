// Owns: one track of a fragmented MP4 file: its times and what is held back. May import: core, #wire/fmp4.
import type { LiveFragment } from '#core/live-media.ts';
import { av1Sample } from '#wire/fmp4/av1.ts';
import { fragment, type Sample } from '#wire/fmp4/fragment.ts';
import { codecEntry } from '#wire/fmp4/sample-entry.ts';
import type { TrackFormat } from '#wire/fmp4/track.ts';
import { nalSample } from './nal-samples.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

/** RFC 3551's clock of video, which 24, 25, 30 and 60 pictures a second divide. */
const videoTimescaleHz = 90_000;
/** So much sound makes a fragment. */
const audioFragmentUs = 40_000;
/** Sound that comes so nearly in time is taken to be in time: players stumble over gaps of a sample. */
const audioToleranceUs = 10_000;
/** A picture that stayed longer is said to have stayed so long. */
const longestPictureUs = 10_000_000;

const trackIds = { video: 1, audio: 2 } as const;

type Codec = TrackFormat['codec'];
const isCodec = (codec: string): codec is Codec => ['h264', 'h265', 'vp9', 'av1', 'aac', 'opus'].includes(codec);

export class FragmentedTrack {
  readonly #stream: EgressStream & { readonly codec: Codec };
  readonly #onFragment: (fragment: LiveFragment) => void;
  readonly #timescaleHz: number;
  readonly #held: EgressUnit[] = [];
  #format: TrackFormat | undefined;
  #sequenceNumber = 0;
  /** Decoding time of what comes next if nothing is missing, in ticks; undefined before the first. */
  #nextTick: number | undefined;
  #beginsUs = Number.POSITIVE_INFINITY;

  /** @returns undefined for a codec that cannot stand in an MP4 file */
  static of(stream: EgressStream, onFragment: (fragment: LiveFragment) => void): FragmentedTrack | undefined {
    const { codec } = stream;
    return isCodec(codec) ? new FragmentedTrack({ ...stream, codec }, onFragment) : undefined;
  }

  private constructor(stream: EgressStream & { codec: Codec }, onFragment: (fragment: LiveFragment) => void) {
    this.#stream = stream;
    this.#onFragment = onFragment;
    // Opus is always of 48 kHz (RFC 6716 §2), whatever it was made from.
    const rateHz = stream.codec === 'opus' ? 48_000 : (stream.sampleRateHz ?? 48_000);
    this.#timescaleHz = stream.kind === 'video' ? videoTimescaleHz : rateHz;
    if (stream.config) this.#format = this.#formatWith(stream.config);
  }

  /** Undefined until its configuration is known. */
  get format(): TrackFormat | undefined {
    return this.#format;
  }

  /** Time of its first sample, microseconds; infinite before it. */
  get beginsUs(): number {
    return this.#beginsUs;
  }

  /** Some codecs have their configuration in their first key picture. */
  learn(unit: EgressUnit): void {
    if (this.#format === undefined && unit.isKey) this.#format = this.#formatWith(unit.data);
  }

  write(unit: EgressUnit): void {
    this.#beginsUs = Math.min(this.#beginsUs, unit.ptsUs);
    if (unit.kind === 'video') {
      const [last] = this.#held;
      if (last) this.#emitVideo(last, unit.dtsUs - last.dtsUs);
      this.#held.splice(0, this.#held.length, unit);
      return;
    }
    this.#held.push(unit);
    const heldUs = this.#held.reduce((sum, { durationUs }) => sum + durationUs, 0);
    if (heldUs >= audioFragmentUs) this.#emitAudio();
  }

  flush(): void {
    const [held] = this.#held;
    if (!held) return;
    if (held.kind === 'video') this.#emitVideo(held, held.durationUs);
    else this.#emitAudio();
    this.#held.length = 0;
  }

  #emitVideo(unit: EgressUnit, lastedUs: number): void {
    const baseTime = this.#ticks(Math.max(0, unit.dtsUs));
    const durationUs = Math.min(longestPictureUs, Math.max(1_000, lastedUs));
    const sample: Sample = {
      duration: this.#ticks(Math.max(0, unit.dtsUs) + durationUs) - baseTime,
      compositionOffset: this.#ticks(unit.ptsUs - unit.dtsUs),
      isKey: unit.isKey,
      data: this.#sampleData(unit.data),
    };
    this.#emit(baseTime, [sample], unit.isKey);
  }

  #emitAudio(): void {
    const [first] = this.#held;
    if (!first) return;
    const due = this.#ticks(Math.max(0, first.dtsUs));
    const next = this.#nextTick ?? due;
    const baseTime = Math.abs(due - next) <= this.#ticks(audioToleranceUs) ? next : due;
    const samples = this.#held.map(({ durationUs, data }) => ({
      ...{ duration: this.#ticks(durationUs), compositionOffset: 0, isKey: true, data: [data] },
    }));
    this.#held.length = 0;
    this.#emit(baseTime, samples, true);
  }

  #emit(baseTime: number, samples: readonly Sample[], isKey: boolean): void {
    const { kind } = this.#stream;
    const ticks = samples.reduce((sum, { duration }) => sum + duration, 0);
    this.#nextTick = baseTime + ticks;
    this.#sequenceNumber += 1;
    this.#onFragment({
      kind,
      isKey,
      startUs: Math.round((baseTime * 1e6) / this.#timescaleHz),
      durationUs: Math.round((ticks * 1e6) / this.#timescaleHz),
      data: fragment({ sequenceNumber: this.#sequenceNumber, trackId: trackIds[kind], baseTime, samples }),
    });
  }

  #ticks(us: number): number {
    return Math.round((us * this.#timescaleHz) / 1e6);
  }

  #sampleData(data: Uint8Array): readonly Uint8Array[] {
    const { codec } = this.#stream;
    if (codec === 'h264' || codec === 'h265') return nalSample(codec, data);
    return codec === 'av1' ? av1Sample(data) : [data];
  }

  #formatWith(config: Uint8Array): TrackFormat | undefined {
    const { codec, width = 0, height = 0, sampleRateHz = 48_000, channels = 2 } = this.#stream;
    const timescaleHz = this.#timescaleHz;
    const format: TrackFormat =
      codec === 'aac' || codec === 'opus'
        ? { kind: 'audio', id: trackIds.audio, codec, config, timescaleHz, sampleRateHz, channels }
        : { kind: 'video', id: trackIds.video, codec, config, timescaleHz, width, height };
    return codecEntry(format) ? format : undefined;
  }
}
