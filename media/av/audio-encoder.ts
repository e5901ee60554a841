// Owns: an Opus encoder, with the queue that makes whole frames of whatever length comes.
import { AV_SAMPLE_FMT_S16 } from 'node-av/constants';
import { defaultLayout, type PcmShape } from './audio-decoder.ts';
import { AvError, assertOk, av, findEncoder, isDrained, NativeOwner, openCodec } from './library.ts';

export interface OpusEncoderOptions {
  readonly channels: 1 | 2;
  readonly bitrateBps: number;
}

/** 20 ms at 48 kHz: what every WebRTC client expects. */
const frameSamples = 960;
const frameUs = 20_000;
/** A gap or overlap of time stamps beyond this begins a new run of samples. */
const maxDriftUs = 60_000;

/** @param data a copy: the receiver's own */
export type OnOpusFrame = (data: Buffer, ptsUs: number) => void;

export class OpusEncoder extends NativeOwner {
  readonly shape: PcmShape;
  readonly #context = new av.CodecContext();
  readonly #packet = new av.Packet();
  readonly #frame = new av.Frame();
  readonly #pending: Int16Array;
  #pendingSamples = 0;
  /** Time of the first pending sample. */
  #pendingPtsUs: number | undefined;
  #encodedSamples = 0;

  constructor(options: OpusEncoderOptions) {
    super();
    this.shape = { sampleRateHz: 48_000, channels: options.channels };
    this.#pending = new Int16Array(frameSamples * options.channels);
    const codec = findEncoder('libopus');
    if (!codec) throw new AvError('audio encoder', 0, 'there is no Opus encoder');
    this.#packet.alloc();
    this.#frame.alloc();
    try {
      this.#context.allocContext3(codec);
      this.#context.sampleRate = 48_000;
      this.#context.sampleFormat = AV_SAMPLE_FMT_S16;
      this.#context.channelLayout = defaultLayout(options.channels);
      this.#context.timeBase = new av.Rational(1, 48_000);
      this.#context.bitRate = BigInt(options.bitrateBps);
      // CELT: a third of what speech mode costs, and the right one for music.
      openCodec(this.#context, codec, { application: 'audio', compression_level: '5', frame_duration: '20' });
      this.#frame.format = AV_SAMPLE_FMT_S16;
      this.#frame.sampleRate = 48_000;
      this.#frame.channelLayout = defaultLayout(options.channels);
      this.#frame.nbSamples = frameSamples;
      assertOk(this.#frame.getBuffer(0), 'opening the Opus encoder');
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /**
   * @param samples s16, interleaved, frames x channels of the encoder
   * @param ptsUs time of the first; small wobble is smoothed, a jump starts anew
   */
  push(samples: Int16Array, ptsUs: number, onFrame: OnOpusFrame): void {
    this.exclusively(() => {
      const { channels } = this.shape;
      this.#alignTo(ptsUs);
      for (let offset = 0; offset < samples.length; ) {
        const room = (frameSamples - this.#pendingSamples) * channels;
        const chunk = samples.subarray(offset, offset + room);
        this.#pending.set(chunk, this.#pendingSamples * channels);
        this.#pendingSamples += chunk.length / channels;
        offset += chunk.length;
        if (this.#pendingSamples >= frameSamples) this.#encodeFrame(onFrame);
      }
    });
  }

  #alignTo(ptsUs: number): void {
    const expectedUs =
      this.#pendingPtsUs === undefined ? ptsUs : this.#pendingPtsUs + (this.#pendingSamples / 48) * 1_000;
    const driftUs = ptsUs - expectedUs;
    if (this.#pendingPtsUs === undefined || Math.abs(driftUs) > maxDriftUs) {
      this.#pendingSamples = 0;
      this.#pendingPtsUs = ptsUs;
      return;
    }
    // Follows a clock that runs a little differently, without steps that could be heard or seen in the time stamps.
    this.#pendingPtsUs += driftUs / 64;
  }

  #encodeFrame(onFrame: OnOpusFrame): void {
    const ptsUs = this.#pendingPtsUs ?? 0;
    // The encoder may still hold the last one.
    assertOk(this.#frame.makeWritable(), 'encoding audio');
    const plane = this.#frame.data?.[0];
    const byteLength = this.#pending.byteLength;
    if (!plane || plane.length < byteLength) throw new AvError('encoding audio', 0, 'frame without memory');
    plane.set(Buffer.from(this.#pending.buffer, this.#pending.byteOffset, byteLength));
    this.#frame.pts = BigInt(this.#encodedSamples);
    this.#encodedSamples += frameSamples;
    this.#pendingSamples = 0;
    this.#pendingPtsUs = ptsUs + frameUs;
    assertOk(this.#context.sendFrameSync(this.#frame), 'encoding audio');
    for (;;) {
      const code = this.#context.receivePacketSync(this.#packet);
      if (code < 0) {
        if (!isDrained(code)) throw new AvError('encoding audio', code);
        return;
      }
      const data = Buffer.from(this.#packet.data ?? []);
      this.#packet.unref();
      onFrame(data, ptsUs);
    }
  }

  protected override free(): void {
    this.#context.freeContext();
    this.#packet.free();
    this.#frame.free();
  }
}
