// Owns: the pictures of an egress in another codec, for targets that asked for it: one decoder and one encoder for all of
// them. May import: media/{av,rtp}, core's words, its neighbours.
import type { RecodeSpec } from '#core/egress-messages.ts';
import { av1Sample, parseAv1 } from '#wire/fmp4/av1.ts';
import { Scaler } from '../av/scaler.ts';
import { VideoDecoder } from '../av/video-decoder.ts';
import { type EncodedUnit, VideoEncoder } from '../av/video-encoder.ts';
import { hevcConfigOf } from '../rtp/h265.ts';
import { isSameStream } from './picture-facts.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

export interface RecoderEvents {
  /** Before its first unit, and before the key unit from which on it is another. */
  described(stream: EgressStream): void;
  unit(unit: EgressUnit): void;
  /** Nothing more comes of it. */
  failed(message: string): void;
}

const leastStepUs = 1_000;

export class Recoder implements Disposable {
  readonly #wish: RecodeSpec;
  readonly #events: RecoderEvents;
  #source: EgressStream | undefined;
  #decoder: VideoDecoder | undefined;
  #scaler: Scaler | undefined;
  #encoder: VideoEncoder | undefined;
  #stream: EgressStream | undefined;
  #lastUs = Number.NEGATIVE_INFINITY;
  #isOver = false;

  constructor(wish: RecodeSpec, events: RecoderEvents) {
    this.#wish = wish;
    this.#events = events;
  }

  get stream(): EgressStream | undefined {
    return this.#stream;
  }

  requestKeyFrame(): void {
    this.#encoder?.requestKeyFrame();
  }

  /** @param source what the unit belongs to */
  write(unit: EgressUnit, source: EgressStream): void {
    if (this.#isOver) return;
    try {
      if (!this.#source || !isSameStream(this.#source, source)) this.#begin(source);
      // Key pictures stay key pictures: their interval is what was asked for.
      if (unit.isKey) this.#encoder?.requestKeyFrame();
      this.#decoder?.decode(unit.data, unit.ptsUs, (picture, ptsUs) =>
        this.#scaler?.scale(picture, (scaled) => {
          this.#encoder?.encode(scaled, ptsUs, (encoded) => this.#emit(encoded));
        }),
      );
    } catch (error) {
      this[Symbol.dispose]();
      this.#events.failed(error instanceof Error ? error.message : String(error));
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#release();
  }

  #begin(source: EgressStream): void {
    this.#release();
    const { codec, width = 0, height = 0 } = source;
    if (codec === 'aac' || codec === 'opus') throw new Error('Sound is no picture.');
    const { codec: wanted, bitrateBps, framerateHz } = this.#wish;
    this.#source = source;
    this.#decoder = new VideoDecoder({ codec });
    this.#scaler = new Scaler(width, height);
    this.#encoder = new VideoEncoder({ codec: wanted, width, height, bitrateBps, framerateHz });
  }

  #release(): void {
    for (const one of [this.#decoder, this.#scaler, this.#encoder]) one?.[Symbol.dispose]();
    this.#decoder = undefined;
    this.#scaler = undefined;
    this.#encoder = undefined;
  }

  #emit({ data, isKey, ptsUs }: EncodedUnit): void {
    if (isKey) this.#describe(data);
    if (!this.#stream) return;
    const dtsUs = Math.max(ptsUs, this.#lastUs + leastStepUs);
    const usualUs = 1e6 / this.#wish.framerateHz;
    const durationUs = Number.isFinite(this.#lastUs) ? Math.min(dtsUs - this.#lastUs, 1_000_000) : usualUs;
    this.#lastUs = dtsUs;
    // Temporal delimiters have no place in what the units go into.
    const unit = this.#wish.codec === 'av1' ? Buffer.concat(av1Sample(data)) : data;
    this.#events.unit({ kind: 'video', ptsUs: dtsUs, dtsUs, durationUs, isKey, data: unit });
  }

  #describe(data: Buffer): void {
    const { codec } = this.#wish;
    const config = codec === 'h265' ? hevcConfigOf(data) : parseAv1(data)?.sequenceHeader;
    if (!config) return;
    const { width, height } = this.#source ?? {};
    const stream: EgressStream = { kind: 'video', codec, config, width, height };
    if (this.#stream && isSameStream(this.#stream, stream)) return;
    this.#stream = stream;
    this.#events.described(stream);
  }
}
