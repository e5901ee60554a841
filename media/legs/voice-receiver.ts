// Owns: a voice from its packets to 20 ms of sound: ordered, concealed, and decoded only where it is to be heard.
import { type LegCodec, legCodecs } from '#core/leg-media.ts';
import { maxVoiceSamples, VoiceDecoder } from '../av/voice-codecs.ts';
import { durationOf } from '../rtp/voice-duration.ts';
import { NoiseSource } from './comfort-noise.ts';
import { decodeG711, g711Power } from './g711.ts';
import { JitterBuffer, type Slot } from './jitter-buffer.ts';
import { Upsampler } from './resample.ts';

export const silentDbov = -127;
/** A level that the packet does not carry. */
export const unknownLevel = 1;
/** 20 ms at 48 kHz: what a mix works in. */
export const mixSamples = 960;

const clockRates: Readonly<Record<LegCodec, number>> = { opus: 48_000, g722: 8_000, pcmu: 8_000, pcma: 8_000 };
const sampleRates: Readonly<Record<LegCodec, number>> = { opus: 48_000, g722: 16_000, pcmu: 8_000, pcma: 8_000 };
/** An Opus packet of no more than this says that there is silence. */
const dtxBytes = 2;
/** Each frame that is made up by repeating is this much of the one before. */
const fadePerFrame = 0.6;
const scratch = new Int16Array(maxVoiceSamples);

/**
 * The same word, and the one that this process has: each that came by IPC is a copy, compared letter by letter wherever a
 * packet goes, which in a mix of hundreds is a tenth of all it costs.
 */
export function ownCodec(codec: LegCodec): LegCodec {
  return legCodecs.find((one) => one === codec) ?? codec;
}

export function clockRateOf(codec: LegCodec): number {
  return clockRates[codec];
}

/** dBov of a mean square; a full-scale square wave is 0. */
function powerToDbov(meanSquare: number): number {
  return meanSquare < 1 ? silentDbov : Math.max(silentDbov, 10 * Math.log10(meanSquare / 1_073_741_824));
}

type State = 'none' | 'packet' | 'queue' | 'lost' | 'noise';

export class VoiceReceiver {
  /** Of the step just taken; the last known where it was not looked at. */
  levelDbov = silentDbov;
  /** RTP time stamp of where the step just taken begins; undefined where that is nothing that was sent. */
  heardTimestamp: number | undefined;
  #buffer: JitterBuffer | undefined;
  #clockRateHz = 0;
  #codec: LegCodec = 'pcmu';
  readonly #codecByType: (LegCodec | undefined)[] = new Array(128);
  #state: State = 'none';
  /** Of the packet of this step: `#length` bytes from `#offset` on. */
  #bytes: Uint8Array = new Uint8Array(0);
  #offset = 0;
  #length = 0;
  #isDecoded = false;
  #frame: Int16Array | undefined;
  #frameCount = 0;
  /** Samples of packets that are not 20 ms long, at the codec's own rate. */
  #queue: Int16Array | undefined;
  #queued = 0;
  #decoder: VoiceDecoder | undefined;
  #upsampler: Upsampler | undefined;
  #last: Float32Array | undefined;
  #lostFrames = 0;
  #noiseDbov: number | undefined;
  readonly #noise = new NoiseSource();
  #steps = 0;

  get codec(): LegCodec {
    return this.#codec;
  }

  get buffer(): JitterBuffer | undefined {
    return this.#buffer;
  }

  /** Whether anything has been coming lately, so that looking at it costs something. */
  get isActive(): boolean {
    return this.#state !== 'none';
  }

  /**
   * @param bytes the receiver's to keep; the payload is `length` of them from `offset` on
   * @param levelDbov as the packet says, or `unknownLevel`
   */
  receive(
    kind: Slot,
    codec: LegCodec,
    payloadType: number,
    seq: number,
    timestamp: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    levelDbov: number,
    nowMs: number,
  ): void {
    const clockRateHz = clockRates[codec];
    if (!this.#buffer || clockRateHz !== this.#clockRateHz) {
      this.#buffer = new JitterBuffer(clockRateHz);
      this.#clockRateHz = clockRateHz;
    }
    this.#codecByType[payloadType] = codec;
    const ticks = kind === 'audio' ? durationOf(codec, bytes, offset, length) : 0;
    this.#buffer.push(kind, seq, timestamp, ticks, bytes, payloadType, levelDbov, nowMs, offset, length);
  }

  /**
   * Goes on by 20 ms.
   * @param isHeard its sound will be asked for
   * @param scanPeriod a level that can only be known by decoding is looked at every so many steps
   */
  step(nowMs: number, isHeard: boolean, scanPeriod: number): void {
    this.#steps += 1;
    this.heardTimestamp = undefined;
    if (!this.#buffer) return;
    const frameSamples = sampleRates[this.#codec] / 50;
    for (let turn = 0; turn < 8; turn++) {
      if (this.#queued >= frameSamples) {
        this.#state = 'queue';
        this.#noteHeard(this.#buffer, (this.#queued * this.#clockRateHz) / sampleRates[this.#codec]);
        return;
      }
      switch (this.#buffer.pop(nowMs, !isHeard)) {
        case 'audio':
          if (!this.#takePacket(this.#buffer, isHeard || this.#steps % scanPeriod === 0)) break;
          this.#noteHeard(this.#buffer, this.#clockRateHz / 50);
          return;
        case 'lost':
          this.#state = 'lost';
          this.#lostFrames += 1;
          this.levelDbov = Math.max(silentDbov, this.levelDbov - 3);
          return;
        case 'comfort_noise':
          this.#noiseDbov = -((this.#buffer.payload[0] ?? 127) & 0x7f);
          this.#state = 'noise';
          this.levelDbov = silentDbov;
          return;
        case 'wait':
          this.#state = this.#noiseDbov === undefined ? 'none' : 'noise';
          this.levelDbov = silentDbov;
          return;
      }
    }
  }

  #noteHeard({ playedTimestamp }: JitterBuffer, ticksBefore: number): void {
    this.heardTimestamp = (playedTimestamp - ticksBefore) >>> 0;
  }

  /** @returns whether that was 20 ms */
  #takePacket(buffer: JitterBuffer, isLookedAt: boolean): boolean {
    const codec = this.#codecByType[buffer.payloadType] ?? this.#codec;
    if (codec !== this.#codec) this.#changeCodec(codec);
    this.#bytes = buffer.bytes;
    this.#offset = buffer.offset;
    this.#length = buffer.length;
    this.#isDecoded = false;
    this.#noiseDbov = undefined;
    this.#lostFrames = 0;
    if (buffer.durationTicks * 50 !== this.#clockRateHz || this.#queued > 0) {
      this.#enqueue(codec);
      return false;
    }
    this.#state = 'packet';
    if (buffer.levelDbov <= 0) this.levelDbov = buffer.levelDbov;
    else if (codec === 'pcmu' || codec === 'pcma') this.levelDbov = this.#g711Level(codec);
    else if (codec === 'opus' && this.#length <= dtxBytes) this.levelDbov = silentDbov;
    else if (isLookedAt) {
      this.#decode();
      this.levelDbov = powerToDbov(meanSquare(this.#frame as Int16Array, this.#frameCount));
    }
    return true;
  }

  /**
   * The 20 ms of this step, at 48 kHz, written over what is in `output`.
   * @returns false for nothing but silence
   */
  render(output: Float32Array): boolean {
    switch (this.#state) {
      case 'none':
        return false;
      case 'packet':
        if (!this.#isDecoded) this.#decode();
        this.#toMixRate(this.#frame as Int16Array, this.#frameCount, output);
        break;
      case 'queue':
        this.#renderQueue(output);
        break;
      case 'lost':
        this.#conceal(output);
        break;
      case 'noise':
        output.fill(0);
        this.#noise.add(output, Math.max(-90, this.#noiseDbov ?? silentDbov));
        return true;
    }
    this.#last ??= new Float32Array(mixSamples);
    this.#last.set(output);
    return true;
  }

  close(): void {
    this.#decoder?.[Symbol.dispose]();
    this.#decoder = undefined;
  }

  #decode(): void {
    this.#frame ??= new Int16Array(mixSamples);
    this.#isDecoded = true;
    if (this.#codec === 'pcmu' || this.#codec === 'pcma') {
      this.#frameCount = Math.min(this.#length, mixSamples);
      decodeG711(this.#codec, this.#bytes, this.#frame, this.#frameCount, this.#offset);
      return;
    }
    const count = this.#decodeInto(scratch);
    this.#frameCount = Math.min(count, mixSamples);
    this.#frame.set(scratch.subarray(0, this.#frameCount));
  }

  #g711Level(codec: 'pcmu' | 'pcma'): number {
    return powerToDbov(g711Power(codec, this.#bytes, this.#offset, this.#length));
  }

  #decodeInto(samples: Int16Array): number {
    if (this.#codec !== 'opus' && this.#codec !== 'g722') return 0;
    this.#decoder ??= new VoiceDecoder(this.#codec);
    return this.#decoder.decode(this.#bytes.subarray(this.#offset, this.#offset + this.#length), samples);
  }

  #enqueue(codec: LegCodec): void {
    this.#queue ??= new Int16Array(maxVoiceSamples * 2);
    let count: number;
    if (codec === 'pcmu' || codec === 'pcma') {
      count = Math.min(this.#length, scratch.length);
      decodeG711(codec, this.#bytes, scratch, count, this.#offset);
    } else {
      count = this.#decodeInto(scratch);
    }
    count = Math.min(count, this.#queue.length - this.#queued);
    this.#queue.set(scratch.subarray(0, count), this.#queued);
    this.#queued += count;
    this.levelDbov = powerToDbov(meanSquare(scratch, count));
  }

  #renderQueue(output: Float32Array): void {
    const queue = this.#queue as Int16Array;
    const count = sampleRates[this.#codec] / 50;
    this.#toMixRate(queue, count, output);
    queue.copyWithin(0, count, this.#queued);
    this.#queued -= count;
  }

  /** Samples that nobody asked for must not pile up. */
  drop(): void {
    if (this.#state !== 'queue' || !this.#queue) return;
    const count = sampleRates[this.#codec] / 50;
    this.#queue.copyWithin(0, count, this.#queued);
    this.#queued -= count;
  }

  #toMixRate(samples: Int16Array, count: number, output: Float32Array): void {
    const factor = 48_000 / sampleRates[this.#codec];
    if (count * factor < mixSamples) output.fill(0);
    if (factor === 1) {
      for (let i = 0; i < count; i++) output[i] = samples[i] as number;
      return;
    }
    this.#upsampler ??= new Upsampler(factor, mixSamples / factor);
    this.#upsampler.process(samples, Math.min(count, mixSamples / factor), output);
  }

  /** Opus makes up what is missing; elsewhere the last 20 ms are repeated, softer each time. */
  #conceal(output: Float32Array): void {
    if (this.#codec === 'opus' && this.#decoder) {
      const count = this.#decoder.conceal(scratch);
      if (count >= mixSamples) {
        for (let i = 0; i < mixSamples; i++) output[i] = scratch[i] as number;
        return;
      }
    }
    const last = this.#last;
    if (!last) {
      output.fill(0);
      return;
    }
    for (let i = 0; i < mixSamples; i++) output[i] = (last[i] as number) * fadePerFrame;
  }

  #changeCodec(codec: LegCodec): void {
    this.close();
    this.#codec = codec;
    this.#upsampler = undefined;
    this.#queued = 0;
  }
}

function meanSquare(samples: Int16Array, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i += 2) sum += (samples[i] as number) * (samples[i] as number);
  return count > 0 ? (sum * 2) / count : 0;
}
