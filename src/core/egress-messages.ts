// Owns: what the control process tells the job of an egress and hears from it. May import: core only.
import type { AnalysisLevels, AnalysisSinkSpec, Finding } from './analysis-messages.ts';
import type { JobReason } from './job.ts';
import type { RecordSinkSpec } from './record-sink.ts';
import type { MediaKind, StreamTimeline } from './rtp.ts';

/** A stream that the room sends to the job, as it comes. */
export interface EgressInput {
  readonly ssrc: number;
  readonly payloadType: number;
  /** Lower-case codec name: `h264`, `vp8`, `vp9`, `opus`, `pcmu` … */
  readonly codec: string;
  readonly clockRateHz: number;
  readonly channels: number;
  /** Where its time stamps lie, where it is made here. */
  readonly timeline?: StreamTimeline | undefined;
}

/** One kind of media that goes out; without an input it is silence, or nothing until one comes. */
export interface EgressMedia {
  readonly input?: EgressInput | undefined;
  /** So much later than it was captured goes what it belongs to: a picture that a view shows so late. */
  readonly delayMs?: number | undefined;
}

/** A stream pushed to somebody else's server; `options` is what that protocol's opener wants (never log a spec). */
export interface PushSinkSpec {
  readonly type: 'push';
  readonly protocol: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly audioCodec: 'aac' | 'opus';
  /** The pictures are made anew in this, where that is not what there is. */
  readonly recode?: RecodeSpec | undefined;
  /** A server that does not say that it takes these gets H264 and AAC. */
  readonly hasFallback?: boolean | undefined;
}

export const recodedCodecs = ['h265', 'av1'] as const;

export interface RecodeSpec {
  readonly codec: (typeof recodedCodecs)[number];
  readonly bitrateBps: number;
  /** Of the source, or less. */
  readonly framerateHz: number;
}

/** Fragments of an MP4 file, handed to this process over the worker's pipe. */
export interface LiveSinkSpec {
  readonly type: 'live';
  /** What they are sent under; unique in this process. */
  readonly feed: number;
  /** Players can begin at a key picture: one is asked for so often if none comes. */
  readonly keyFrameIntervalMs: number;
  /** There are always pictures, sooner or later: sound alone is not worth beginning with. */
  readonly needsVideo: boolean;
}

/** RTP for players in their connections, handed to this process over the worker's pipe. */
export interface PlaySinkSpec {
  readonly type: 'play';
  /** What it is sent under; unique among those of RTP in this process. */
  readonly feed: number;
  readonly audioCodec: 'aac' | 'opus';
  readonly payloadTypes: Readonly<Record<MediaKind, number>>;
}

/** What takes the media of an egress; another kind is another member here, in egress-protocol.ts and in the table of sinks. */
export type EgressSinkSpec = PushSinkSpec | LiveSinkSpec | PlaySinkSpec | RecordSinkSpec | AnalysisSinkSpec;

export type EgressCommand =
  /** The whole, so that saying it again does no harm; a kind that is absent does not go out. */
  | {
      readonly type: 'setEgressMedia';
      readonly audio?: EgressMedia | undefined;
      readonly video?: EgressMedia | undefined;
    }
  /** Known by its id already: it goes on as it is. */
  | {
      readonly type: 'putEgressSink';
      readonly sinkId: number;
      readonly sink: EgressSinkSpec;
      readonly isPaused: boolean;
    }
  | { readonly type: 'dropEgressSink'; readonly sinkId: number }
  | { readonly type: 'pauseEgressSink'; readonly sinkId: number; readonly isPaused: boolean };

export const egressSinkStates = ['starting', 'live', 'reconnecting', 'paused', 'ended', 'failed'] as const;
export type EgressSinkState = (typeof egressSinkStates)[number];

export interface EgressSinkStatus {
  readonly state: EgressSinkState;
  readonly reason: JobReason;
  /** Particulars for people; names no credentials. */
  readonly message: string;
}

export type EgressEvent =
  | { readonly type: 'egressKeyFrameWanted' }
  | ({ readonly type: 'egressSinkChanged'; readonly sinkId: number } & EgressSinkStatus)
  | {
      readonly type: 'egressAnalysed';
      readonly sinkId: number;
      readonly findings: readonly Finding[];
      readonly levels: AnalysisLevels;
    }
  | {
      readonly type: 'egressMeasured';
      readonly sinks: readonly { readonly sinkId: number; readonly bytesOut: number }[];
      /** What goes out, as far as it has been seen. */
      readonly streams: readonly {
        readonly kind: MediaKind;
        readonly codec: string;
        readonly width?: number | undefined;
        readonly height?: number | undefined;
      }[];
    };

export interface EgressJobSpec {
  readonly kind: 'egress';
  readonly startTimeoutMs?: number | undefined;
  /** Where its time begins, on the machine's monotonic clock: that of several jobs, where given. */
  readonly originUs?: number | undefined;
}

/** An egress whose media goes nowhere but under the eyes of detectors. */
export interface AnalyticsJobSpec {
  readonly kind: 'analytics';
  readonly hasPictures: boolean;
  readonly hasSound: boolean;
  readonly startTimeoutMs?: number | undefined;
}
