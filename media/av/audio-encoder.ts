// Owns: an Opus encoder, with the queue that makes whole frames of whatever length comes.
import { AV_SAMPLE_FMT_S16 } from 'node-av/constants';
import { AvError, assertOk, av, findEncoder, isDrained, NativeOwner, openCodec } from './library.ts';
import { defaultLayout, type PcmShape } from './resampler.ts';

export interface OpusEncoderOptions {
  readonly channels: 1 | 2;
  readonly bitrateBps: number;
}

/** 20 ms at 48 kHz: what every WebRTC client expects. */
const frameSamples = 960;
const frameUs = 20_000;
/** A gap or an overlap beyond this is a real one; below it is wobble, or a clock that runs a little differently. */
const maxDriftUs = 30_000;
/** An overlap that is further back is a clock that was set anew. */
const maxOverlapUs = 10_000_000;
/** Share of a drift that each chunk believes: time stamps are often rounded to milliseconds. */
const driftSmoothing = 1 / 16;
/** What is heard lies so much before what was put in (CELT's look-ahead of 312 samples). */
const lookAheadUs = 6_500;

/** @param data a copy: the receiver's own */
export type OnOpusFrame = (data: Buffer, ptsUs: number) => void;

export class OpusEncoder extends NativeOwner {
  readonly shape: PcmShape;
  readonly #context = new av.CodecContext();
  readonly #packet = new av.Packet();
  readonly #frame = new av.Frame();
  readonly #pending: Int16Array;
  readonly #pendingBytes: Buffer;
  #pendingSamples = 0;
  /** Time of the first pending sample. */
  #pendingPtsUs: number | undefined;
  #encodedSamples = 0;
  /** By how much the time stamps are ahead of the samples, smoothed. */
  #driftUs = 0;
  /** An overlap that is longer than what came with it. */
  #isCutting = false;

  constructor(options: OpusEncoderOptions) {
    super();
    this.shape = { sampleRateHz: 48_000, channels: options.channels };
    this.#pending = new Int16Array(frameSamples * options.channels);
    this.#pendingBytes = Buffer.from(this.#pending.buffer);
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
   * Frames follow each other without gap or overlap in their times, as jitter buffers want it: a clock that runs a
   * little differently is followed by making the sound longer or shorter, by no more than 0.2 %.
   * @param samples s16, interleaved, frames x channels of the encoder
   * @param ptsUs time of the first; a gap begins a new run, an overlap is cut off
   */
  push(samples: Int16Array, ptsUs: number, onFrame: OnOpusFrame): void {
    this.exclusively(() => {
      const { channels } = this.shape;
      const fitting = this.#fit(samples, ptsUs);
      for (let offset = 0; offset < fitting.length; ) {
        const room = (frameSamples - this.#pendingSamples) * channels;
        const chunk = fitting.subarray(offset, offset + room);
        this.#pending.set(chunk, this.#pendingSamples * channels);
        this.#pendingSamples += chunk.length / channels;
        offset += chunk.length;
        if (this.#pendingSamples >= frameSamples) this.#encodeFrame(onFrame);
      }
    });
  }

  /** What comes next begins a run, wherever the last one ended. */
  beginAnew(): void {
    this.#pendingPtsUs = undefined;
  }

  #fit(samples: Int16Array, ptsUs: number): Int16Array {
    const endUs = this.#pendingPtsUs === undefined ? ptsUs : this.#pendingPtsUs + (this.#pendingSamples / 48) * 1_000;
    const driftUs = ptsUs - endUs;
    if (this.#pendingPtsUs === undefined || driftUs > maxDriftUs || driftUs < -maxOverlapUs) {
      this.#pendingSamples = 0;
      this.#pendingPtsUs = ptsUs;
      this.#driftUs = 0;
      this.#isCutting = false;
      return samples;
    }
    if (driftUs < -maxDriftUs || (this.#isCutting && driftUs < 0)) {
      // All of it, with what comes next too: a rest would be drawn out over ten seconds, with the sound behind its picture.
      const cut = Math.round((-driftUs * 48) / 1_000) * this.shape.channels;
      this.#isCutting = cut > samples.length;
      return samples.subarray(cut);
    }
    this.#isCutting = false;
    this.#driftUs += (driftUs - this.#driftUs) * driftSmoothing;
    const change = Math.sign(this.#driftUs) * Math.min(2, Math.floor(Math.abs(this.#driftUs) / 1_000));
    this.#driftUs -= (change * 1_000) / 48;
    return change === 0 ? samples : stretch(samples, this.shape.channels, change);
  }

  #encodeFrame(onFrame: OnOpusFrame): void {
    const ptsUs = this.#pendingPtsUs ?? 0;
    // The encoder may still hold the last one.
    assertOk(this.#frame.makeWritable(), 'encoding audio');
    assertOk(this.#frame.fromBuffer(this.#pendingBytes), 'encoding audio');
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
      onFrame(data, ptsUs - lookAheadUs);
    }
  }

  protected override free(): void {
    this.#context.freeContext();
    this.#packet.free();
    this.#frame.free();
  }
}

/** So many samples more or fewer than there were, between which the sound is drawn out or pressed together. */
function stretch(samples: Int16Array, channels: number, change: number): Int16Array {
  const count = samples.length / channels;
  const wanted = count + change;
  if (count < 2 || wanted < 2) return samples;
  const stretched = new Int16Array(wanted * channels);
  const step = (count - 1) / (wanted - 1);
  for (let n = 0; n < wanted; n++) {
    const at = Math.min(count - 2, Math.floor(n * step));
    const share = n * step - at;
    for (let channel = 0; channel < channels; channel++) {
      const before = samples[at * channels + channel] as number;
      const after = samples[(at + 1) * channels + channel] as number;
      stretched[n * channels + channel] = Math.round(before + (after - before) * share);
    }
  }
  return stretched;
}
