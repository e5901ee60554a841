// Owns: an AAC-LC encoder for a line of sound without gaps. May import: media/av.
import { AV_SAMPLE_FMT_FLTP } from 'node-av/constants';
import { AvError, assertOk, av, findEncoder, isDrained, NativeOwner, openCodec } from './library.ts';
import { defaultLayout, type PcmShape } from './resampler.ts';

/** ISO/IEC 14496-3 §4.5.2.1.1 */
export const aacFrameSamples = 1_024;
const channels = 2;

/** @param data a copy: the receiver's own, without ADTS. @param sample where its first sample lies, counted from the first that was pushed */
export type OnAacFrame = (data: Buffer, sample: number) => void;

/** 48 kHz, stereo. */
export class AacEncoder extends NativeOwner {
  readonly shape: PcmShape = { sampleRateHz: 48_000, channels };
  /** AudioSpecificConfig, ISO/IEC 14496-3 §1.6.2.1: AAC-LC, 48 kHz, two channels. */
  readonly config = Uint8Array.of(0x11, 0x90);
  readonly #context = new av.CodecContext();
  readonly #packet = new av.Packet();
  readonly #frame = new av.Frame();
  /** One plane after the other, as the encoder wants it. */
  readonly #pending = new Float32Array(aacFrameSamples * channels);
  readonly #pendingBytes = Buffer.from(this.#pending.buffer);
  #pendingSamples = 0;
  #encodedSamples = 0;

  constructor(bitrateBps: number) {
    super();
    const codec = findEncoder('aac');
    if (!codec) throw new AvError('audio encoder', 0, 'there is no AAC encoder');
    this.#packet.alloc();
    this.#frame.alloc();
    try {
      this.#context.allocContext3(codec);
      this.#context.sampleRate = this.shape.sampleRateHz;
      this.#context.sampleFormat = AV_SAMPLE_FMT_FLTP;
      this.#context.channelLayout = defaultLayout(channels);
      this.#context.timeBase = new av.Rational(1, this.shape.sampleRateHz);
      this.#context.bitRate = BigInt(bitrateBps);
      openCodec(this.#context, codec, { aac_coder: 'fast' });
      this.#frame.format = AV_SAMPLE_FMT_FLTP;
      this.#frame.sampleRate = this.shape.sampleRateHz;
      this.#frame.channelLayout = defaultLayout(channels);
      this.#frame.nbSamples = aacFrameSamples;
      assertOk(this.#frame.getBuffer(0), 'opening the AAC encoder');
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** @param samples s16, interleaved, frames x 2; they follow those before without a gap */
  push(samples: Int16Array, onFrame: OnAacFrame): void {
    this.exclusively(() => {
      for (let at = 0; at < samples.length; at += channels) {
        this.#pending[this.#pendingSamples] = (samples[at] as number) / 32_768;
        this.#pending[aacFrameSamples + this.#pendingSamples] = (samples[at + 1] as number) / 32_768;
        this.#pendingSamples += 1;
        if (this.#pendingSamples === aacFrameSamples) this.#encodeFrame(onFrame);
      }
    });
  }

  #encodeFrame(onFrame: OnAacFrame): void {
    // The encoder may still hold the last one.
    assertOk(this.#frame.makeWritable(), 'encoding audio');
    assertOk(this.#frame.fromBuffer(this.#pendingBytes), 'encoding audio');
    this.#frame.pts = BigInt(this.#encodedSamples);
    this.#encodedSamples += aacFrameSamples;
    this.#pendingSamples = 0;
    assertOk(this.#context.sendFrameSync(this.#frame), 'encoding audio');
    for (;;) {
      const code = this.#context.receivePacketSync(this.#packet);
      if (code < 0) {
        if (!isDrained(code)) throw new AvError('encoding audio', code);
        return;
      }
      const data = Buffer.from(this.#packet.data ?? []);
      // The encoder begins one frame earlier, with which decoders warm up.
      const sample = Number(this.#packet.pts);
      this.#packet.unref();
      onFrame(data, sample);
    }
  }

  protected override free(): void {
    this.#context.freeContext();
    this.#packet.free();
    this.#frame.free();
  }
}
