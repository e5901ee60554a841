// Owns: the pictures of an egress: one stream of the room after the other, as units on the job's clock.
// May import: media/rtp, media/pipelines, core's words.
import type { EgressInput } from '#core/egress-messages.ts';
import type { VideoCodec } from '#core/media-source.ts';
import { InputClock } from '../pipelines/input-clock.ts';
import { RtpUnpacker } from '../pipelines/rtp-unpacker.ts';
import type { CaptureClock } from '../rtp/capture-clock.ts';
import { h264Nal, h264NalType, splitAnnexB, toAnnexB } from '../rtp/h264.ts';
import { describePicture, isSameStream } from './picture-facts.ts';
import { type EgressCodec, type EgressStream, type EgressUnit, egressCodecs } from './sink.ts';

/** A publisher answers with hundreds of packets: not more often. */
const keyFrameIntervalUs = 500_000;
/** Until the first two have been seen. */
const usualDurationUs = 33_333;
const longestDurationUs = 1_000_000;
/** Decoding times of two pictures differ at least by so much: half a millisecond would be none in RTMP. */
const leastStepUs = 1_000;

export interface VideoLineEvents {
  /** Before the first unit, and before the key unit from which on it is another. */
  described(stream: EgressStream): void;
  unit(unit: EgressUnit): void;
  keyFrameWanted(): void;
}

export class VideoLine {
  readonly #originUs: number;
  readonly #events: VideoLineEvents;
  #input: EgressInput | undefined;
  #codec: EgressCodec | undefined;
  #unpacker: RtpUnpacker | undefined;
  #clock: InputClock | undefined;
  #delayUs = 0;
  #stream: EgressStream | undefined;
  #parameterSets: readonly Uint8Array[] = [];
  #isWaiting = true;
  #lastDtsUs = Number.NEGATIVE_INFINITY;
  #keyFrameAskedUs = Number.NEGATIVE_INFINITY;
  #wantsKeyFrame = false;
  framesIn = 0;
  framesDropped = 0;
  keyFrames = 0;
  bytesIn = 0;

  constructor(originUs: number, events: VideoLineEvents) {
    this.#originUs = originUs;
    this.#events = events;
  }

  get stream(): EgressStream | undefined {
    return this.#stream;
  }

  /** Another stream begins with a key picture; up to it the last picture of the one before stands. */
  setInput(input: EgressInput | undefined): void {
    if (JSON.stringify(input) === JSON.stringify(this.#input)) return;
    this.#input = input;
    this.#unpacker = undefined;
    this.#clock = undefined;
    this.#codec = egressCodecs.find((codec) => codec === input?.codec);
    if (!input || !this.#codec) return;
    this.#clock = new InputClock(input.clockRateHz, input.timeline);
    this.#unpacker = new RtpUnpacker(sourceStreamOf(input), this.#clock);
    this.#isWaiting = true;
    this.#parameterSets = [];
    this.requestKeyFrame();
  }

  /** To be told when what comes was captured. */
  get captureClock(): CaptureClock | undefined {
    return this.#clock?.capture;
  }

  /** @param delayMs as late as the sound that it belongs to, and what a view shows in its place */
  setDelay(delayMs: number): void {
    this.#delayUs = delayMs * 1_000;
  }

  /** Soon: with the next packet at the earliest. */
  requestKeyFrame(): void {
    this.#wantsKeyFrame = true;
  }

  receive(packet: Buffer, nowUs: number): void {
    this.bytesIn += packet.length;
    this.#unpacker?.push(packet, nowUs, ({ data, isKey, ptsUs }) => this.#take(data, isKey, ptsUs));
    this.reviewKeyFrame(nowUs);
  }

  /** Call every now and then: somebody may wait for a key picture while nothing comes. */
  reviewKeyFrame(nowUs: number): void {
    const isWanted = this.#wantsKeyFrame || this.#isWaiting || this.#unpacker?.isBroken;
    if (!this.#unpacker || !isWanted || nowUs - this.#keyFrameAskedUs < keyFrameIntervalUs) return;
    this.#keyFrameAskedUs = nowUs;
    this.#events.keyFrameWanted();
  }

  #take(data: Uint8Array, isKey: boolean, clockUs: number): void {
    const placedUs = clockUs + this.#delayUs - this.#originUs;
    this.framesIn += 1;
    if (this.#isWaiting && !isKey) {
      this.framesDropped += 1;
      return;
    }
    const whole = isKey ? this.#begin(data) : data;
    if (!whole) return;
    const dtsUs = Math.max(Math.round(placedUs), this.#lastDtsUs + leastStepUs, 0);
    const stepUs = dtsUs - this.#lastDtsUs;
    const durationUs = Number.isFinite(stepUs) ? Math.min(stepUs, longestDurationUs) : usualDurationUs;
    this.#lastDtsUs = dtsUs;
    this.#events.unit({ kind: 'video', ptsUs: dtsUs, dtsUs, durationUs, isKey, data: whole });
  }

  /** @returns the key picture with its parameter sets; undefined where it cannot be decoded */
  #begin(data: Uint8Array): Uint8Array | undefined {
    const codec = this.#codec;
    const whole = codec === 'h264' ? this.#withParameterSets(data) : data;
    const stream = codec && describePicture(codec, whole);
    if (!stream) {
      this.framesDropped += 1;
      return undefined;
    }
    this.keyFrames += 1;
    this.#isWaiting = false;
    this.#wantsKeyFrame = false;
    if (!this.#stream || !isSameStream(this.#stream, stream)) {
      this.#stream = stream;
      this.#events.described(stream);
    }
    return whole;
  }

  #withParameterSets(data: Uint8Array): Uint8Array {
    const isSet = (nal: Uint8Array) => h264NalType(nal) === h264Nal.sps || h264NalType(nal) === h264Nal.pps;
    const nals = splitAnnexB(data);
    const sets = nals.filter(isSet);
    if (sets.some((nal) => h264NalType(nal) === h264Nal.sps)) {
      this.#parameterSets = sets;
      return data;
    }
    return this.#parameterSets.length > 0 ? toAnnexB([...this.#parameterSets, ...nals]) : data;
  }
}

function sourceStreamOf({ payloadType, codec, clockRateHz, channels }: EgressInput) {
  const rtp = { payloadType, encodingName: codec.toUpperCase(), clockRateHz, channels, formatParameters: {} };
  return { id: 0, kind: 'video', codec: codec as VideoCodec, framing: { kind: 'rtp' }, rtp } as const;
}
