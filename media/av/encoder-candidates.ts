// Owns: which encoder of FFmpeg makes a codec in real time, and how it is set for it.
import { AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P, type AVPixelFormat } from 'node-av/constants';

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
  readonly pixelFormat: AVPixelFormat;
  readonly options: Readonly<Record<string, string>>;
}

const software: Readonly<Record<Exclude<EncodedCodec, 'h264'>, Omit<EncoderCandidate, 'pixelFormat'>>> = {
  vp8: {
    name: 'libvpx',
    // Negative speeds are fixed; positive ones adapt to the clock and eat the whole core.
    options: { deadline: 'realtime', 'cpu-used': '-12', 'lag-in-frames': '0', 'error-resilient': '1' },
  },
  vp9: {
    name: 'libvpx-vp9',
    options: { deadline: 'realtime', 'cpu-used': '9', 'lag-in-frames': '0', 'aq-mode': '3', 'tile-columns': '0' },
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

/** In the order in which they are tried. */
export function encoderCandidates({
  codec,
  hardware,
  preset,
  profile,
  sliceMaxBytes,
}: EncoderChoice): EncoderCandidate[] {
  if (codec !== 'h264') return [{ ...software[codec], pixelFormat: AV_PIX_FMT_YUV420P }];
  const x264: EncoderCandidate = {
    name: 'libx264',
    pixelFormat: AV_PIX_FMT_YUV420P,
    options: {
      preset: preset ?? 'superfast',
      tune: 'zerolatency',
      profile: profile ?? 'baseline',
      forced_idr: '1',
      ...(sliceMaxBytes !== undefined && { 'slice-max-size': String(sliceMaxBytes) }),
    },
  };
  if (!hardware) return [x264];
  const pixelFormat = hardware === 'nvenc' ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_NV12;
  return [{ name: `h264_${hardware}`, pixelFormat, options: hardwareOptions[hardware] }, x264];
}

const hardwareOptions: Readonly<Record<'nvenc' | 'qsv' | 'vaapi', Readonly<Record<string, string>>>> = {
  nvenc: { preset: 'p3', tune: 'ull', zerolatency: '1', 'forced-idr': '1' },
  qsv: { preset: 'veryfast', async_depth: '1', forced_idr: '1' },
  vaapi: { async_depth: '1' },
};
