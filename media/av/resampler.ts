// Owns: the resampler: any sample format, rate and layout in, 16-bit interleaved PCM of one shape out.
import {
  AV_CHANNEL_ORDER_NATIVE,
  AV_SAMPLE_FMT_S16,
  type AVChannelOrder,
  type AVSampleFormat,
} from 'node-av/constants';
import { AvError, assertOk, av, NativeOwner } from './library.ts';

const maxChannels = 8;

export interface PcmShape {
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
}

/** Any sample format, rate and layout into one; opened anew when the input changes. */
export class Resampler extends NativeOwner {
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
