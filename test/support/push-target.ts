// Owns: an RTMP server that takes whatever is pushed to it, and looks at what came: colour, tone, time stamps.
import type { AudioCodec, MediaSource, SourceUnit, VideoCodec } from '#core/media-source.ts';
import { createRtmpGateway, defaultRtmpConfig } from '#gateways/rtmp/index.ts';
import { AudioDecoder } from '#media/av/audio-decoder.ts';
import { VideoDecoder } from '#media/av/video-decoder.ts';
import { splitLengthPrefixed, toAnnexB } from '#media/rtp/h264.ts';
import { CollectingSink } from './collecting-sink.ts';
import { KeepingLog } from './keeping-log.ts';
import { usualLevel } from './tone.ts';

type RtmpServer = Awaited<ReturnType<typeof createRtmpGateway>>;
type AccessUnit = Extract<SourceUnit, { kind: 'access_unit' }>;

export class PushTarget {
  /** One for each connection, oldest first. */
  readonly sinks: CollectingSink[] = [];
  readonly #host: string;
  #port = 0;
  #gateway: RtmpServer | undefined;
  #wake: () => void = () => undefined;

  static async start(host = '127.0.0.1'): Promise<PushTarget> {
    const target = new PushTarget(host);
    await target.listen();
    return target;
  }

  private constructor(host: string) {
    this.#host = host;
  }

  /** At first on any port; again, after `close()`, on the same. */
  async listen(): Promise<void> {
    const accept = (source: MediaSource) => {
      const sink = new CollectingSink();
      this.sinks.push(sink);
      source.start(sink);
      this.#wake();
    };
    const authorizePublish = async () => ({
      publisherId: `SK_${this.sinks.length}`,
      whenBusy: 'take_over' as const,
      accept,
    });
    this.#gateway = await createRtmpGateway(
      { log: new KeepingLog(), authorizePublish },
      { ...defaultRtmpConfig, host: this.#host, port: this.#port, tlsPort: undefined },
    );
    this.#port = this.#gateway.port ?? 0;
  }

  async close(): Promise<void> {
    await this.#gateway?.close();
    this.#gateway = undefined;
  }

  url(key: string): string {
    return `rtmp://${this.#host}:${this.#port}/live/${key}`;
  }

  /** The connection of that number; waits for it. */
  async connection(index: number): Promise<CollectingSink> {
    for (;;) {
      const sink = this.sinks[index];
      if (sink) return sink;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export function accessUnits(sink: CollectingSink, kind: 'audio' | 'video'): AccessUnit[] {
  return sink.of(kind).filter((unit) => unit.kind === 'access_unit');
}

export interface SeenColor {
  readonly y: number;
  readonly u: number;
  readonly v: number;
  readonly width: number;
  readonly height: number;
  readonly ptsUs: number;
}

/** The middle of every picture, from the first on. */
export function seenColors(sink: CollectingSink): SeenColor[] {
  const colors: SeenColor[] = [];
  const { codec, config } = sink.stream('video') ?? {};
  if (!config) return colors;
  using decoder = new VideoDecoder({ codec: codec as VideoCodec, config, hasLowDelay: true });
  for (const { data, ptsUs } of accessUnits(sink, 'video')) {
    const unit = codec === 'h264' ? toAnnexB(splitLengthPrefixed(data, 4) ?? []) : data;
    decoder.decode(unit, ptsUs, ({ planes, strides, width, height }) => {
      const at = (plane: number, shift: number) =>
        planes[plane]?.[((height >> 1) >> shift) * (strides[plane] ?? 0) + ((width >> 1) >> shift)] ?? -1;
      colors.push({ y: at(0, 0), u: at(1, 1), v: at(2, 1), width, height, ptsUs });
    });
  }
  return colors;
}

/** Left channel of the last `ms` of sound. */
export function lastSound(sink: CollectingSink, ms: number): Int16Array {
  const stream = sink.stream('audio');
  if (!stream) return new Int16Array();
  const output = { sampleRateHz: 48_000, channels: 2 } as const;
  using decoder = new AudioDecoder({ codec: stream.codec as AudioCodec, config: stream.config, output });
  const pieces: Int16Array[] = [];
  for (const { data, ptsUs } of accessUnits(sink, 'audio').slice(-Math.ceil(ms / 20) - 3)) {
    decoder.decode(data, ptsUs, (samples) => pieces.push(samples));
  }
  const all = pieces.flatMap((samples) => [...samples].filter((_, at) => at % 2 === 0));
  return Int16Array.from(all.slice(-ms * 48));
}

export function heardTone(sink: CollectingSink, toneHz: number): number {
  return usualLevel(lastSound(sink, 500), toneHz, 48_000);
}

/** Largest step between units of a kind, milliseconds; infinite where time goes back. */
export function longestGapMs(sink: CollectingSink, kind: 'audio' | 'video'): number {
  const times = accessUnits(sink, kind).map(({ dtsUs }) => dtsUs / 1_000);
  return times.slice(1).reduce((longest, time, at) => {
    const step = time - (times[at] ?? 0);
    return step < 0 ? Number.POSITIVE_INFINITY : Math.max(longest, step);
  }, 0);
}
