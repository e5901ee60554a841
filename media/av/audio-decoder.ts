// Owns: an audio decoder context with a resampler behind it: any codec in, 16-bit interleaved PCM of one shape out.
import { AVERROR_EAGAIN } from 'node-av/constants';
import type { AudioCodec } from '#core/media-source.ts';
import { av, findDecoder, isDrained, NativeOwner, openCodec } from './library.ts';
import { defaultLayout, type PcmShape, Resampler } from './resampler.ts';

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
