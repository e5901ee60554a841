// Owns: a chain of FFmpeg filters of which only what they say of frames is wanted.
import {
  AV_BUFFERSRC_FLAG_KEEP_REF,
  AV_CHANNEL_ORDER_NATIVE,
  AV_PIX_FMT_YUV420P,
  AV_SAMPLE_FMT_S16,
} from 'node-av/constants';
import { AvError, assertOk, av, isDrained, NativeOwner } from './library.ts';
import type { Picture } from './picture.ts';

/** @param facts names as FFmpeg's: `lavfi.black_start` */
export type OnFacts = (facts: Readonly<Record<string, string>>) => void;

/** Name and arguments of each filter, first to last. */
export type FilterChain = readonly (readonly [name: string, args: string])[];

const sampleRateHz = 48_000;
const stereoMask = 3n;

export class FilterLine extends NativeOwner {
  readonly #graph = new av.FilterGraph();
  readonly #source: av.FilterContext;
  readonly #sink: av.FilterContext;
  readonly #out = new av.Frame();

  /** Of I420 pictures of one size, with time stamps in milliseconds. @throws AvError when this build cannot */
  static ofPictures(width: number, height: number, chain: FilterChain): FilterLine {
    const format = `video_size=${width}x${height}:pix_fmt=${AV_PIX_FMT_YUV420P}:time_base=1/1000:pixel_aspect=1/1`;
    return new FilterLine('buffer', format, chain, 'buffersink');
  }

  /** Of s16 stereo at 48 kHz. @throws AvError when this build cannot */
  static ofSound(chain: FilterChain): FilterLine {
    const format = `sample_rate=${sampleRateHz}:sample_fmt=s16:channel_layout=stereo:time_base=1/${sampleRateHz}`;
    return new FilterLine('abuffer', format, chain, 'abuffersink');
  }

  private constructor(source: string, format: string, chain: FilterChain, sink: string) {
    super();
    this.#out.alloc();
    try {
      this.#graph.alloc();
      this.#graph.nbThreads = 1;
      this.#source = this.#make(source, 'in', format);
      this.#sink = this.#make(sink, 'out', null);
      this.#join(chain);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  pushPicture(picture: Picture, ptsMs: number, onFacts: OnFacts): void {
    this.exclusively(() => {
      const frame = picture.prepareForEncoding(BigInt(Math.round(ptsMs)));
      assertOk(this.#source.buffersrcAddFrameSync(frame, AV_BUFFERSRC_FLAG_KEEP_REF), 'analysing a picture');
      this.#read(onFacts);
    });
  }

  /** @param samples s16, interleaved, two channels @param at the first one's number */
  pushSound(samples: Int16Array, at: number, onFacts: OnFacts): void {
    if (samples.length < 2) return;
    this.exclusively(() => {
      using frame = new av.Frame();
      frame.alloc();
      frame.nbSamples = samples.length / 2;
      frame.format = AV_SAMPLE_FMT_S16;
      frame.sampleRate = sampleRateHz;
      frame.channelLayout = { nbChannels: 2, order: AV_CHANNEL_ORDER_NATIVE, mask: stereoMask };
      assertOk(frame.getBuffer(0), 'analysing sound');
      const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
      bytes.copy(frame.data?.[0] ?? Buffer.alloc(0));
      frame.pts = BigInt(at);
      assertOk(this.#source.buffersrcAddFrameSync(frame), 'analysing sound');
      this.#read(onFacts);
    });
  }

  #read(onFacts: OnFacts): void {
    for (;;) {
      const code = this.#sink.buffersinkGetFrameSync(this.#out);
      if (isDrained(code)) return;
      assertOk(code, 'analysing');
      const facts = this.#out.getMetadata()?.getAll() ?? {};
      this.#out.unref();
      onFacts(facts);
    }
  }

  #make(name: string, as: string, args: string | null): av.FilterContext {
    const filter = av.Filter.getByName(name);
    const context = filter && this.#graph.createFilter(filter, as, args);
    if (!context) throw new AvError('analysing', 0, `this build has no filter ${name}`);
    return context;
  }

  /** Linked one by one: a string for FFmpeg's parser is not needed, and its list of ends has no clear owner. */
  #join(chain: FilterChain): void {
    const middle = chain.map(([name, args], place) => this.#make(name, `${name}${place}`, args));
    const all = [this.#source, ...middle, this.#sink];
    for (const [place, context] of all.slice(0, -1).entries()) {
      assertOk(context.link(0, all[place + 1] as av.FilterContext, 0), 'joining filters');
    }
    assertOk(this.#graph.configSync(), 'joining filters');
  }

  protected override free(): void {
    this.#graph.free();
    this.#out.free();
  }
}
