// Owns: which encoder of FFmpeg makes a codec in real time, and how it is set for it.
import type { PictureForm } from './encoder-input.ts';

export const encodedCodecs = ['h264', 'vp8', 'vp9', 'h265', 'av1'] as const;
export type EncodedCodec = (typeof encodedCodecs)[number];
export type H264Profile = 'baseline' | 'main' | 'high';

export interface EncoderChoice {
  readonly codec: EncodedCodec;
  /** Of H264; `baseline` when absent. */
  readonly profile?: H264Profile | undefined;
  /** Tried first; software when it cannot be opened here. */
  readonly hardware?: 'nvenc' | 'qsv' | 'vaapi' | undefined;
  /** x264 preset; `superfast` looks better, `ultrafast` costs half. */
  readonly preset?: 'ultrafast' | 'superfast' | 'veryfast' | undefined;
  /** Of H264 in software: pictures are cut into slices of at most so many bytes. */
  readonly sliceMaxBytes?: number | undefined;
}

export interface EncoderCandidate {
  readonly name: string;
  readonly takes: PictureForm;
  readonly options: Readonly<Record<string, string>>;
  /** It spares itself what is said to be unchanged. */
  readonly takesHints?: boolean;
  /** What media/av/direct-h264.ts does is as good for less. */
  readonly canBeDirect?: boolean;
}

const software: Readonly<Record<Exclude<EncodedCodec, 'h264'>, Omit<EncoderCandidate, 'takes'>>> = {
  vp8: {
    name: 'libvpx',
    // Negative speeds are fixed; positive ones adapt to the clock and eat the whole core.
    options: { deadline: 'realtime', 'cpu-used': '-12', 'lag-in-frames': '0', 'error-resilient': '1' },
  },
  vp9: {
    name: 'libvpx-vp9',
    // The fastest that FFmpeg lets through; slower ones soon take a hundred times as long.
    options: { deadline: 'realtime', 'cpu-used': '8', 'lag-in-frames': '0', 'aq-mode': '3', 'tile-columns': '0' },
  },
  h265: {
    name: 'libx265',
    options: {
      preset: 'ultrafast',
      tune: 'zerolatency',
      'forced-idr': '1',
      'x265-params': 'log-level=none:repeat-headers=1:pools=none:frame-threads=1',
    },
  },
  av1: {
    name: 'libsvtav1',
    // pred-struct 1: low delay, the only one that takes requests for key frames.
    options: { preset: '12', 'svtav1-params': 'pred-struct=1:lp=1:rc=2' },
  },
};

/** Presets may leave these out, and what uses neither is written down as baseline whatever profile is asked for. */
const toolsOf: Readonly<Record<H264Profile, Readonly<Record<string, string>>>> = {
  baseline: {},
  main: { coder: 'cabac' },
  high: { coder: 'cabac', '8x8dct': '1' },
};

/** In the order in which they are tried. */
export function encoderCandidates({
  codec,
  hardware,
  preset,
  profile = 'baseline',
  sliceMaxBytes,
}: EncoderChoice): EncoderCandidate[] {
  if (codec !== 'h264') return [{ ...software[codec], takes: 'i420' }];
  const x264: EncoderCandidate = {
    name: 'libx264',
    takes: 'i420',
    takesHints: true,
    canBeDirect: preset === 'ultrafast',
    options: {
      mb_info: '1',
      preset: preset ?? 'superfast',
      tune: 'zerolatency',
      profile,
      ...toolsOf[profile],
      'forced-idr': '1',
      ...(sliceMaxBytes !== undefined && { 'slice-max-size': String(sliceMaxBytes) }),
    },
  };
  if (!hardware) return [x264];
  return [{ name: `h264_${hardware}`, ...hardwareEncoders[hardware] }, x264];
}

const hardwareEncoders: Readonly<Record<'nvenc' | 'qsv' | 'vaapi', Omit<EncoderCandidate, 'name'>>> = {
  nvenc: { takes: 'i420', options: { preset: 'p3', tune: 'ull', zerolatency: '1', 'forced-idr': '1' } },
  // It uploads for itself what it is given as NV12.
  qsv: { takes: 'nv12', options: { preset: 'veryfast', async_depth: '1', forced_idr: '1' } },
  vaapi: { takes: 'vaapi', options: { async_depth: '1' } },
};
