// Owns: reading a whole recording from a file, in whatever FFmpeg can read.
import { AVMEDIA_TYPE_AUDIO } from 'node-av/constants';
import { AvError, assertOk, av, isDrained, NativeOwner, openCodec } from './library.ts';
import { type PcmShape, Resampler } from './resampler.ts';

/** Recordings and nothing that names other files, as playlists do. */
const formats = 'wav,w64,mp3,ogg,flac,aac,aiff,au,caf,asf,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,amr,ac3,wv,ape,tta';

/**
 * @returns s16, interleaved, of the first audio stream
 * @throws AvError when it is none, or longer than `maxSeconds`
 */
export function decodeSoundFile(file: string, shape: PcmShape, maxSeconds: number): Int16Array {
  using reader = new SoundFileReader(file, shape);
  return reader.readAll(maxSeconds * shape.sampleRateHz * shape.channels);
}

class SoundFileReader extends NativeOwner {
  readonly #input = new av.FormatContext();
  readonly #decoder = new av.CodecContext();
  readonly #packet = new av.Packet();
  readonly #frame = new av.Frame();
  readonly #resampler: Resampler;
  readonly #streamIndex: number;

  constructor(file: string, shape: PcmShape) {
    super();
    this.#resampler = new Resampler(shape);
    this.#packet.alloc();
    this.#frame.alloc();
    try {
      using options = av.Dictionary.fromObject({ format_whitelist: formats, protocol_whitelist: 'file' });
      assertOk(this.#input.openInputSync(`file:${file}`, null, options), 'opening');
      assertOk(this.#input.findStreamInfoSync(null), 'reading');
      const stream = this.#input.streams.find(({ codecpar }) => codecpar.codecType === AVMEDIA_TYPE_AUDIO);
      if (!stream) throw new AvError('reading', 0, 'there is no sound in it');
      this.#streamIndex = stream.index;
      const codec = av.Codec.findDecoder(stream.codecpar.codecId);
      if (!codec) throw new AvError('reading', 0, 'there is no decoder for its codec');
      this.#decoder.allocContext3(codec);
      assertOk(this.#decoder.parametersToContext(stream.codecpar), 'reading');
      this.#decoder.threadCount = 1;
      openCodec(this.#decoder, codec, {});
    } catch (error) {
      this.free();
      throw error;
    }
  }

  readAll(maxSamples: number): Int16Array {
    return this.exclusively(() => {
      const parts: Int16Array[] = [];
      let count = 0;
      while (this.#input.readFrameSync(this.#packet) >= 0) {
        const isSound = this.#packet.streamIndex === this.#streamIndex && this.#packet.size > 0;
        // A broken packet is a click; the recording goes on.
        if (isSound && this.#decoder.sendPacketSync(this.#packet) >= 0) count += this.#receive(parts);
        this.#packet.unref();
        if (count > maxSamples) throw new AvError('reading', 0, 'it is too long');
      }
      this.#decoder.sendPacketSync(null);
      count += this.#receive(parts);
      if (count === 0) throw new AvError('reading', 0, 'there is no sound in it');
      const samples = new Int16Array(count);
      let at = 0;
      for (const part of parts) {
        samples.set(part, at);
        at += part.length;
      }
      return samples;
    });
  }

  #receive(parts: Int16Array[]): number {
    let count = 0;
    for (;;) {
      const code = this.#decoder.receiveFrameSync(this.#frame);
      if (code < 0) {
        if (!isDrained(code)) throw new AvError('decoding', code);
        return count;
      }
      const samples = this.#resampler.convert(this.#frame);
      this.#frame.unref();
      parts.push(samples);
      count += samples.length;
    }
  }

  protected override free(): void {
    this.#decoder.freeContext();
    this.#input.closeInputSync();
    this.#packet.free();
    this.#frame.free();
    this.#resampler[Symbol.dispose]();
  }
}
