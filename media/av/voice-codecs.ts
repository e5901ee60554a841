// Owns: codecs of voices, one mono frame at a time into memory of the caller: no copies to throw away, nothing to
// resample, one packet and one frame for all, since everything in a mix runs one after the other.
import { AV_SAMPLE_FMT_S16 } from 'node-av/constants';
import { AvError, assertOk, av, findDecoder, findEncoder, isDrained, NativeOwner, openCodec } from './library.ts';
import { defaultLayout } from './resampler.ts';

export type VoiceCodec = 'opus' | 'g722';

const facts = {
  opus: { decoder: 'libopus', encoder: 'libopus', sampleRateHz: 48_000 },
  g722: { decoder: 'g722', encoder: 'g722', sampleRateHz: 16_000 },
} as const;

/** 120 ms at 48 kHz, the longest Opus packet. */
export const maxVoiceSamples = 5_760;
const maxPacketBytes = 4_000;

let shared: { readonly packet: av.Packet; readonly frame: av.Frame } | undefined;

function sharedMemory(): { readonly packet: av.Packet; readonly frame: av.Frame } {
  if (shared) return shared;
  const packet = new av.Packet();
  const frame = new av.Frame();
  packet.alloc();
  frame.alloc();
  shared = { packet, frame };
  return shared;
}

export class VoiceDecoder extends NativeOwner {
  readonly codec: VoiceCodec;
  readonly #context = new av.CodecContext();
  readonly #toc = Buffer.alloc(1);
  #hasDecoded = false;

  constructor(codec: VoiceCodec) {
    super();
    this.codec = codec;
    const decoder = findDecoder(facts[codec].decoder);
    this.#context.allocContext3(decoder);
    try {
      this.#context.sampleRate = facts[codec].sampleRateHz;
      // libopus mixes stereo down itself.
      this.#context.channelLayout = defaultLayout(1);
      this.#context.pktTimebase = new av.Rational(1, facts[codec].sampleRateHz);
      this.#context.threadCount = 1;
      openCodec(this.#context, decoder, {});
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /**
   * @param samples takes up to `maxVoiceSamples`, s16 mono at 48 kHz (Opus) or 16 kHz (G.722)
   * @returns how many; 0 for a broken packet
   */
  decode(payload: Uint8Array, samples: Int16Array): number {
    if (payload.length === 0 || payload.length > maxPacketBytes) return 0;
    this.#toc[0] = payload[0] as number;
    this.#hasDecoded = true;
    return this.#run(payload, samples);
  }

  /**
   * Opus makes up a frame from what it last heard, when it gets a packet of nothing but the last header (a frame of
   * no bytes, RFC 6716 §3.2.1). @returns 0 where the codec cannot
   */
  conceal(samples: Int16Array): number {
    if (this.codec !== 'opus' || !this.#hasDecoded) return 0;
    this.#toc[0] = (this.#toc[0] as number) & 0xfc;
    return this.#run(this.#toc, samples);
  }

  #run(payload: Uint8Array, samples: Int16Array): number {
    if (this.isDisposed) throw new AvError('voice decoder', 0, 'used after it was closed');
    const { packet, frame } = sharedMemory();
    packet.data = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const code = this.#context.sendPacketSync(packet);
    packet.unref();
    if (code < 0) return 0;
    let count = 0;
    while (this.#context.receiveFrameSync(frame) >= 0) {
      const plane = frame.data?.[0];
      const { nbSamples } = frame;
      if (plane && plane.length >= nbSamples * 2 && count + nbSamples <= samples.length) {
        samples.set(new Int16Array(plane.buffer, plane.byteOffset, nbSamples), count);
        count += nbSamples;
      }
      frame.unref();
    }
    return count;
  }

  protected override free(): void {
    this.#context.freeContext();
  }
}

export interface VoiceEncoderOptions {
  readonly codec: VoiceCodec;
  /** Opus: 10 or 20; G.722: 20, whose packets may be cut anywhere. */
  readonly frameMs: 10 | 20;
  readonly bitrateBps: number;
}

export class VoiceEncoder extends NativeOwner {
  readonly #context = new av.CodecContext();
  readonly #frame = new av.Frame();
  readonly #frameSamples: number;
  #encodedSamples = 0;

  constructor({ codec, frameMs, bitrateBps }: VoiceEncoderOptions) {
    super();
    const { encoder: name, sampleRateHz } = facts[codec];
    const encoder = findEncoder(name);
    if (!encoder) throw new AvError('voice encoder', 0, `there is no encoder ${name}`);
    this.#frameSamples = (sampleRateHz / 1_000) * frameMs;
    this.#frame.alloc();
    try {
      this.#context.allocContext3(encoder);
      this.#context.sampleRate = sampleRateHz;
      this.#context.sampleFormat = AV_SAMPLE_FMT_S16;
      this.#context.channelLayout = defaultLayout(1);
      this.#context.timeBase = new av.Rational(1, sampleRateHz);
      if (codec === 'opus') this.#context.bitRate = BigInt(bitrateBps);
      // CELT: a third of what speech mode costs, and good for many voices at once.
      const options = { application: 'audio', compression_level: '5', frame_duration: String(frameMs) };
      openCodec(this.#context, encoder, codec === 'opus' ? options : {});
      this.#frame.format = AV_SAMPLE_FMT_S16;
      this.#frame.sampleRate = sampleRateHz;
      this.#frame.channelLayout = defaultLayout(1);
      this.#frame.nbSamples = this.#frameSamples;
      assertOk(this.#frame.getBuffer(0), 'opening the voice encoder');
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /**
   * @param samples of exactly one frame
   * @param output takes the packet
   * @returns its length in bytes
   */
  encode(samples: Int16Array, output: Uint8Array): number {
    if (this.isDisposed) throw new AvError('voice encoder', 0, 'used after it was closed');
    // A shorter frame would be taken for the last, a longer one read past its end.
    if (samples.length !== this.#frameSamples) throw new AvError('voice encoder', 0, 'frame of another length');
    const { packet } = sharedMemory();
    assertOk(this.#frame.makeWritable(), 'encoding a voice');
    const plane = this.#frame.data?.[0];
    if (!plane || plane.length < samples.byteLength) throw new AvError('voice encoder', 0, 'frame without memory');
    new Int16Array(plane.buffer, plane.byteOffset, samples.length).set(samples);
    this.#frame.pts = BigInt(this.#encodedSamples);
    this.#encodedSamples += samples.length;
    assertOk(this.#context.sendFrameSync(this.#frame), 'encoding a voice');
    let length = 0;
    for (;;) {
      const code = this.#context.receivePacketSync(packet);
      if (code < 0) {
        if (!isDrained(code)) throw new AvError('voice encoder', code);
        return length;
      }
      const { data } = packet;
      if (data && length + data.length <= output.length) {
        output.set(data, length);
        length += data.length;
      }
      packet.unref();
    }
  }

  protected override free(): void {
    this.#context.freeContext();
    this.#frame.free();
  }
}
