// Owns: what the control process tells the job of a view and hears from it. May import: core only.
import type { StreamTimeline } from './rtp.ts';
import type { ViewLayout } from './view-layout.ts';

/** What a view can be encoded in; the last two for egress only, no room carries them. */
export const viewCodecs = ['vp8', 'h264', 'vp9', 'h265', 'av1'] as const;
export type ViewCodec = (typeof viewCodecs)[number];
export const h264Profiles = ['baseline', 'main', 'high'] as const;

/** What a media worker understands; to be kept within by whoever asks for what is usual, or for a part of something. */
export const encoderLimits = {
  side: { least: 16, most: 4_096 },
  bitrateBps: { least: 10_000, most: 200_000_000 },
} as const;

/** @returns bit/s that can be asked for, the nearest */
export function encodableBps(bitrateBps: number): number {
  const { least, most } = encoderLimits.bitrateBps;
  return Math.round(Math.max(least, Math.min(most, bitrateBps)));
}

/** Equal ones share an encoder. */
export interface EncoderRequest {
  readonly codec: ViewCodec;
  /** Of H264. */
  readonly profile: (typeof h264Profiles)[number];
  readonly width: number;
  readonly height: number;
  /** At most the view's own. */
  readonly framerateHz: number;
  readonly bitrateBps: number;
  /** Seconds; key frames come when asked for, and this often. */
  readonly keyFrameIntervalS: number;
  /** Of H264: no NAL unit is longer, for who takes whole ones in single packets alone. */
  readonly sliceMaxBytes?: number | undefined;
}

/** How a view looks; may change at any time, but for its size and rate. */
export interface ViewLook {
  readonly layout: ViewLayout;
  readonly maxInputs: number;
  /** Who speaks becomes primary. */
  readonly isVoicePrimary: boolean;
  /** `#rrggbb` */
  readonly backgroundColor: string;
  /** PNG or JPEG. */
  readonly backgroundImage?: Uint8Array | undefined;
  readonly hasLabels: boolean;
  /** A frame round who speaks. */
  readonly hasSpeakerBorder: boolean;
  /** In which everybody glides to another place; absent or 0: at once. */
  readonly transitionMs?: number | undefined;
}

export interface ViewInput {
  readonly inputId: number;
  readonly name: string;
  readonly isShared: boolean;
  readonly isMuted: boolean;
  /** Absent for who has no video: initials are shown. */
  readonly stream?:
    | {
        readonly ssrc: number;
        readonly payloadType: number;
        readonly codec: 'vp8' | 'vp9' | 'h264' | 'av1';
        /** Header extension `urn:3gpp:video-orientation`, where the stream has it. */
        readonly orientationExtensionId?: number | undefined;
        /** Where its time stamps lie, where it is made here. */
        readonly timeline?: StreamTimeline | undefined;
      }
    | undefined;
}

export type ViewCommand =
  | { readonly type: 'resizeView'; readonly width: number; readonly height: number; readonly framerateHz: number }
  /** `keepsImage`: what is behind the pictures, which may have megabytes, is what it was and not said again. */
  | { readonly type: 'lookView'; readonly look: ViewLook; readonly keepsImage?: boolean | undefined }
  /** Known by its id already: it is changed. */
  | { readonly type: 'putViewInput'; readonly input: ViewInput }
  | { readonly type: 'dropViewInput'; readonly inputId: number }
  /** Its pictures are shown so long after they were captured, as its voice is heard; 0 as soon as they are there. */
  | { readonly type: 'delayViewInput'; readonly inputId: number; readonly delayMs: number }
  /** PNG or JPEG, shown where there is no video; absent: initials. */
  | { readonly type: 'faceViewInput'; readonly inputId: number; readonly image?: Uint8Array | undefined }
  /** Those named come first. */
  | { readonly type: 'orderView'; readonly inputIds: readonly number[] }
  | { readonly type: 'swapView'; readonly inputIds: readonly [number, number] }
  | { readonly type: 'leadView'; readonly inputId: number }
  /** Absent: nobody is pinned any more. */
  | { readonly type: 'pinView'; readonly inputId?: number | undefined }
  | { readonly type: 'speakView'; readonly inputId?: number | undefined }
  | { readonly type: 'openViewEncoder'; readonly trackId: number; readonly request: EncoderRequest }
  /** Another size, rate or bitrate under the same track; what was goes on where that cannot be had. */
  | { readonly type: 'changeViewEncoder'; readonly trackId: number; readonly request: EncoderRequest }
  | { readonly type: 'setViewBitrate'; readonly trackId: number; readonly bitrateBps: number }
  /** Nobody is sent it for the moment: its encoder may go. */
  | { readonly type: 'pauseViewEncoder'; readonly trackId: number; readonly isPaused: boolean }
  | { readonly type: 'closeViewEncoder'; readonly trackId: number };

/** One input where it is seen; pixels of the canvas. */
export interface ViewPlace {
  readonly inputId: number;
  readonly regionId: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface ViewEncoderStats {
  readonly codec: ViewCodec;
  readonly width: number;
  readonly height: number;
  readonly framerateHz: number;
  readonly bitrateBps: number;
  /** Tracks and taps that it feeds. */
  readonly users: number;
  readonly frames: number;
  readonly keyFrames: number;
  readonly bytes: number;
  /** Between two pictures, since it was opened. */
  readonly longestGapMs: number;
}

export interface ViewStats {
  /** Composed in the last second. */
  readonly framerateHz: number;
  /** What it is held to; lower than the view's own while there is too much work. */
  readonly targetFramerateHz: number;
  /** Composing and encoding, mean of the last second. */
  readonly msPerTick: number;
  readonly worstTickMs: number;
  /** Since the job began here: moments that were let go by. */
  readonly ticksSkipped: number;
  readonly inputsSeen: number;
  readonly inputsWaiting: number;
  readonly encoders: readonly ViewEncoderStats[];
}

export type ViewEvent =
  /** Who stands where; after every change. */
  | {
      readonly type: 'viewArranged';
      /** Everybody, primary first, those who wait last. */
      readonly order: readonly number[];
      readonly places: readonly ViewPlace[];
    }
  /** The size in which an input comes, unturned. */
  | { readonly type: 'viewInputSized'; readonly inputId: number; readonly width: number; readonly height: number }
  | { readonly type: 'viewKeyFrameWanted'; readonly inputId: number }
  | { readonly type: 'viewEncoderRefused'; readonly trackId: number; readonly message: string }
  /** Answers `changeViewEncoder`; `message` says why not. */
  | { readonly type: 'viewEncoderChanged'; readonly trackId: number; readonly message?: string | undefined }
  | { readonly type: 'viewMeasured'; readonly stats: ViewStats };

/** One stream in other formats: it is told of its input and its encoders as a view is. */
export interface TranscodeJobSpec {
  readonly kind: 'transcode';
  readonly startTimeoutMs?: number | undefined;
}

export interface ViewJobSpec {
  readonly kind: 'view';
  readonly width: number;
  readonly height: number;
  /** Any from 1 to 60. */
  readonly framerateHz: number;
  readonly startTimeoutMs?: number | undefined;
}
