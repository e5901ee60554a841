// Owns: an audio decoder context and the resampler behind it: any codec in, 16-bit interleaved PCM of one shape out.
import {
  AV_CHANNEL_ORDER_NATIVE,
  AV_SAMPLE_FMT_S16,
  type AVChannelOrder,
  AVERROR_EAGAIN,
  type AVSampleFormat,
} from 'node-av/constants';
import type { AudioCodec } from '#core/media-source.ts';
import { AvError, assertOk, av, findDecoder, isDrained, NativeOwner, openCodec } from './library.ts';

const decoderNames: Readonly<Record<AudioCodec, readonly string[]>> = {
  // The native Opus decoder conceals losses poorly.
  opus: ['libopus'],
  aac: ['aac'],
  mp3: ['mp3float', 'mp3'],
  mp2: ['mp2float', 'mp2'],
  ac3: ['ac3'],
  eac3: ['eac3'],
  flac: ['flac'],
  vorbis: ['vorbis'],
  nellymoser: ['nellymoser'],
  speex: ['speex'],
  pcmu: ['pcm_mulaw'],
  pcma: ['pcm_alaw'],
  g722: ['g722'],
  // RFC 3551 packs the first sample into the lowest bits.
  g726: ['g726le'],
  l16: ['pcm_s16be'],
};

const maxPacketBytes = 256 * 1024;
const maxChannels = 8;

export interface AudioDecoderOptions {
  readonly codec: AudioCodec;
  readonly config?: Uint8Array | undefined;
  /** As the container says; raw codecs know nothing else. */
  readonly sampleRateHz?: number | undefined;
  readonly channels?: number | undefined;
  /** G.726: 2 to 5. */
  readonly bitsPerSample?: number | undefined;
  /** G.726 with the first sample in the highest bits (`AAL2-G726` in SDP, RFC 3551 §4.5.4). */
  readonly isAal2?: boolean | undefined;
  readonly output: PcmShape;
}

export interface PcmShape {
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
}

/** @param samples s16, interleaved, frames x channels; the receiver's own */
export type OnSamples = (samples: Int16Array, ptsUs: number) => void;

export class AudioDecoder extends NativeOwner {
  readonly codec: AudioCodec;
  readonly #context: av.CodecContext;
  readonly #packet = new av.Packet();
  readonly #frame = new av.Frame();
  readonly #resampler: Resampler;
  #corruptPackets = 0;

  /** @throws AvError when the configuration is not one */
  constructor(options: AudioDecoderOptions) {
    super();
    this.codec = options.codec;
    const codec = findDecoder(...(options.isAal2 ? ['g726'] : decoderNames[options.codec]));
    this.#resampler = new Resampler(options.output);
    this.#context = new av.CodecContext();
    this.#context.allocContext3(codec);
    this.#packet.alloc();
    this.#frame.alloc();
    try {
      const channels = Math.min(maxChannels, options.channels ?? 1);
      this.#context.pktTimebase = new av.Rational(1, 1_000_000);
      this.#context.threadCount = 1;
      if (options.sampleRateHz) this.#context.sampleRate = options.sampleRateHz;
      // libopus decodes into the layout it is given, whatever the packets are.
      this.#context.channelLayout = defaultLayout(options.codec === 'opus' ? options.output.channels : channels);
      if (options.codec === 'opus') this.#context.sampleRate = 48_000;
      if (options.bitsPerSample) this.#context.bitsPerCodedSample = options.bitsPerSample;
      if (options.config && options.config.length > 0 && options.codec !== 'opus') {
        this.#context.extraData = Buffer.from(options.config);
      }
      openCodec(this.#context, codec, {});
    } catch (error) {
      this.free();
      throw error;
    }
  }

  get corruptPackets(): number {
    return this.#corruptPackets;
  }

  /** @returns false when the packet was broken; the decoder goes on with the next */
  decode(data: Uint8Array, ptsUs: number, onSamples: OnSamples): boolean {
    return this.exclusively(() => {
      // An empty packet means "drain" and would end the decoder.
      if (data.length === 0 || data.length > maxPacketBytes) {
        this.#corruptPackets += 1;
        return false;
      }
      this.#packet.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      this.#packet.pts = BigInt(Math.round(ptsUs));
      let code = this.#context.sendPacketSync(this.#packet);
      if (code === AVERROR_EAGAIN) {
        this.#receive(onSamples);
        code = this.#context.sendPacketSync(this.#packet);
      }
      this.#packet.unref();
      this.#receive(onSamples);
      if (code < 0) this.#corruptPackets += 1;
      return code >= 0;
    });
  }

  #receive(onSamples: OnSamples): void {
    for (;;) {
      const code = this.#context.receiveFrameSync(this.#frame);
      if (code < 0) {
        if (!isDrained(code)) this.#corruptPackets += 1;
        return;
      }
      try {
        const delayUs = this.#resampler.delayUs;
        const samples = this.#resampler.convert(this.#frame);
        if (samples.length > 0) onSamples(samples, Number(this.#frame.bestEffortTimestamp) - delayUs);
      } finally {
        this.#frame.unref();
      }
    }
  }

  protected override free(): void {
    this.#context.freeContext();
    this.#packet.free();
    this.#frame.free();
    this.#resampler[Symbol.dispose]();
  }
}

/** Any sample format, rate and layout into one; opened anew when the input changes. */
class Resampler extends NativeOwner {
  readonly #output: PcmShape;
  #context: av.SoftwareResampleContext | undefined;
  #source = '';

  constructor(output: PcmShape) {
    super();
    this.#output = output;
  }

  /** Of what it holds back, before the next input. */
  get delayUs(): number {
    return this.#context ? Number(this.#context.getDelay(1_000_000n)) : 0;
  }

  convert(frame: av.Frame): Int16Array {
    return this.exclusively(() => {
      const format = frame.format as AVSampleFormat;
      const { channels, nbSamples, sampleRate } = frame;
      if (channels < 1 || channels > maxChannels || sampleRate < 1_000 || sampleRate > 384_000 || nbSamples < 1) {
        return new Int16Array(0);
      }
      const planes = frame.data ?? [];
      // swr reads as many planes as there are channels, whether they are there or not.
      if (av.avSampleFmtIsPlanar(format) && planes.length < channels) return new Int16Array(0);
      if (
        format === AV_SAMPLE_FMT_S16 &&
        channels === this.#output.channels &&
        sampleRate === this.#output.sampleRateHz
      ) {
        const plane = planes[0];
        if (!plane) return new Int16Array(0);
        return copySamples(plane, nbSamples * channels);
      }
      const context = this.#contextFor(format, frame);
      const capacity = context.getOutSamples(nbSamples);
      const samples = new Int16Array(Math.max(1, capacity) * this.#output.channels);
      const count = context.convertSync([Buffer.from(samples.buffer)], capacity, planes, nbSamples);
      assertOk(count, 'resampling');
      return samples.subarray(0, count * this.#output.channels);
    });
  }

  #contextFor(format: AVSampleFormat, frame: av.Frame): av.SoftwareResampleContext {
    const { channels, sampleRate } = frame;
    const source = `${format}:${sampleRate}:${channels}`;
    if (this.#context && source === this.#source) return this.#context;
    this.#context?.free();
    this.#context = new av.SoftwareResampleContext();
    this.#source = source;
    const { channels: outChannels, sampleRateHz } = this.#output;
    assertOk(
      this.#context.allocSetOpts2(
        defaultLayout(outChannels),
        AV_SAMPLE_FMT_S16,
        sampleRateHz,
        defaultLayout(channels),
        format,
        sampleRate,
      ),
      'opening the resampler',
    );
    assertOk(this.#context.init(), 'opening the resampler');
    return this.#context;
  }

  protected override free(): void {
    this.#context?.free();
  }
}

function copySamples(bytes: Buffer, count: number): Int16Array {
  if (bytes.length < count * 2) throw new AvError('resampling', 0, 'fewer samples than said');
  const copy = new Int16Array(count);
  Buffer.from(copy.buffer).set(bytes.subarray(0, count * 2));
  return copy;
}

/** Front left, front right and so on, as WAVE orders them. */
export function defaultLayout(channels: number): { order: AVChannelOrder; nbChannels: number; mask: bigint } {
  const masks = [0x4n, 0x3n, 0x7n, 0x33n, 0x37n, 0x3fn, 0x70fn, 0x63fn];
  return { order: AV_CHANNEL_ORDER_NATIVE, nbChannels: channels, mask: masks[channels - 1] ?? 0x3n };
}
