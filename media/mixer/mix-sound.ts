// Owns: 20 ms of sound for one or many listeners, encoded at most once for each codec. Folder: the audio mix of a room.
// May import: core/{leg-media,mix-messages,job}, media/{av,rtp,legs} and the job's context.
import type { LegCodec } from '#core/leg-media.ts';
import { VoiceEncoder } from '../av/voice-codecs.ts';
import { encodeG711 } from '../legs/g711.ts';
import { Downsampler } from '../legs/resample.ts';
import { mixSamples } from '../legs/voice-receiver.ts';

const opusBitrateBps = 32_000;
const maxPayload = 1_275;
const narrowSamples = 160;
const wideSamples = 320;

/** Limits only when it must: at once when the sum is too loud, and lets go over half a second. */
class Limiter {
  #gain = 1;

  apply(sum: Float32Array, output: Int16Array): void {
    let peak = 0;
    for (let i = 0; i < sum.length; i++) {
      const size = Math.abs(sum[i] as number);
      if (size > peak) peak = size;
    }
    const ceiling = 30_000;
    const wanted = peak > ceiling ? ceiling / peak : 1;
    const from = this.#gain;
    const to = Math.min(wanted, from + 0.04);
    // Down within a millisecond, up over the whole frame; what is left above the ceiling meanwhile is cut.
    const ramp = to < from ? 48 : sum.length;
    const step = (to - from) / ramp;
    let gain = from;
    for (let i = 0; i < sum.length; i++) {
      if (i < ramp) gain += step;
      output[i] = Math.max(-32_768, Math.min(32_767, (sum[i] as number) * gain));
    }
    this.#gain = to;
  }

  copyFrom(other: Limiter): void {
    this.#gain = other.#gain;
  }
}

/** What is heard by everybody who hears the same. `isSilent`: there is nothing in it. */
export class MixSound {
  isSilent = true;
  readonly #limiter = new Limiter();
  #frame = new Int16Array(mixSamples);
  #before = new Int16Array(mixSamples);
  readonly #narrow = new Int16Array(narrowSamples);
  readonly #wide = new Int16Array(wideSamples);
  #narrowDown: Downsampler | undefined;
  #wideDown: Downsampler | undefined;
  #hasNarrow = false;
  readonly #payloads = new Map<LegCodec, Uint8Array>();
  readonly #memory = new Map<LegCodec, Uint8Array>();
  #halves: readonly [Uint8Array, Uint8Array] | undefined;
  #opus: VoiceEncoder | undefined;
  #opusHalf: VoiceEncoder | undefined;
  #g722: VoiceEncoder | undefined;
  #source: MixSound | undefined;
  encodes = 0;

  /** The frame as it is sent, s16 at 48 kHz. */
  get samples(): Int16Array {
    return this.#frame;
  }

  /** @param sum any amplitude; undefined is silence */
  set(sum: Float32Array | undefined): void {
    [this.#frame, this.#before] = [this.#before, this.#frame];
    this.isSilent = sum === undefined;
    if (sum) this.#limiter.apply(sum, this.#frame);
    else this.#frame.fill(0);
    this.#payloads.clear();
    this.#halves = undefined;
    this.#hasNarrow = false;
  }

  /**
   * A listener changes from another sound to this one: filters and encoders go on from what it has heard, as far as
   * they can, so that the change does not click.
   */
  continueFrom(other: MixSound): void {
    this.#limiter.copyFrom(other.#limiter);
    this.#source = other;
    this.#frame.set(other.#before);
  }

  /** @returns valid until the next `set()` */
  payload(codec: LegCodec): Uint8Array {
    const known = this.#payloads.get(codec);
    if (known) return known;
    const made = this.#encode(codec);
    this.#payloads.set(codec, made);
    this.encodes += 1;
    return made;
  }

  /** The same in two packets of 10 ms. */
  halves(codec: LegCodec): readonly [Uint8Array, Uint8Array] {
    if (codec !== 'opus') {
      const whole = this.payload(codec);
      return [whole.subarray(0, whole.length / 2), whole.subarray(whole.length / 2)];
    }
    if (this.#halves) return this.#halves;
    this.#opusHalf ??= new VoiceEncoder({ codec: 'opus', frameMs: 10, bitrateBps: opusBitrateBps });
    const half = (from: number) => {
      const memory = new Uint8Array(maxPayload);
      const samples = this.#frame.subarray(from, from + mixSamples / 2);
      return memory.subarray(0, (this.#opusHalf as VoiceEncoder).encode(samples, memory));
    };
    this.#halves = [half(0), half(mixSamples / 2)];
    this.encodes += 2;
    return this.#halves;
  }

  close(): void {
    for (const encoder of [this.#opus, this.#opusHalf, this.#g722]) encoder?.[Symbol.dispose]();
    this.#opus = undefined;
    this.#opusHalf = undefined;
    this.#g722 = undefined;
  }

  #encode(codec: LegCodec): Uint8Array {
    const memory = this.#memory.get(codec) ?? new Uint8Array(codec === 'opus' ? maxPayload : narrowSamples);
    this.#memory.set(codec, memory);
    switch (codec) {
      case 'opus': {
        if (!this.#opus) {
          this.#opus = new VoiceEncoder({ codec, frameMs: 20, bitrateBps: opusBitrateBps });
          // Begins with what the listener has heard last, which is thrown away.
          if (this.#source) this.#opus.encode(this.#before, memory);
        }
        return memory.subarray(0, this.#opus.encode(this.#frame, memory));
      }
      case 'g722': {
        this.#wideDown ??= this.#downsampler(3);
        this.#wideDown.process(this.#frame, mixSamples, this.#wide);
        this.#g722 ??= new VoiceEncoder({ codec, frameMs: 20, bitrateBps: 64_000 });
        return memory.subarray(0, this.#g722.encode(this.#wide, memory));
      }
      default:
        if (!this.#hasNarrow) {
          this.#narrowDown ??= this.#downsampler(6);
          this.#narrowDown.process(this.#frame, mixSamples, this.#narrow);
          this.#hasNarrow = true;
        }
        encodeG711(codec, this.#narrow, memory);
        return memory;
    }
  }

  #downsampler(factor: 3 | 6): Downsampler {
    const own = new Downsampler(factor, mixSamples);
    // Primed with the frame before, which is in `#before` since the last `set()`.
    if (this.#source) own.process(this.#before, mixSamples, new Int16Array(mixSamples / factor));
    return own;
  }
}
