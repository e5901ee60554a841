// Owns: what an egress job hands to whatever takes its media out: recorder, pusher, segmenter. May import: core types.
import type { EventEmitter } from 'node:events';
import type { AnalysisLevels, Finding } from '#core/analysis-messages.ts';
import type { JobReason } from '#core/job.ts';
import type { MediaKind } from '#core/rtp.ts';

export const egressCodecs = ['h264', 'h265', 'vp8', 'vp9', 'av1', 'opus', 'aac'] as const;
export type EgressCodec = (typeof egressCodecs)[number];

/** One stream as it is from its next unit on; a change of codec, size or rate comes as another description. */
export interface EgressStream {
  readonly kind: MediaKind;
  readonly codec: EgressCodec;
  /** AVCDecoderConfigurationRecord, HEVCDecoderConfigurationRecord, AudioSpecificConfig, OpusHead, the sequence header of AV1; absent where the codec has none. */
  readonly config?: Uint8Array | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly sampleRateHz?: number | undefined;
  readonly channels?: number | undefined;
}

export interface EgressUnit {
  readonly kind: MediaKind;
  /** Microseconds from the start of the job, one clock for both kinds; within a kind dts only grows. */
  readonly ptsUs: number;
  readonly dtsUs: number;
  readonly durationUs: number;
  readonly isKey: boolean;
  /** H264, H265: Annex B, parameter sets before every key picture. The others: one frame or temporal unit. */
  readonly data: Uint8Array;
}

export type EgressSinkEvents = {
  changed: [state: 'live' | 'reconnecting' | 'paused' | 'ended' | 'failed', reason: JobReason, message: string];
  /** By one that looks and listens. */
  analysed: [findings: readonly Finding[], levels: AnalysisLevels];
  /** It cannot begin or go on without one. */
  keyFrameWanted: [];
  /** The other side does not take the codecs that it was told of, and others may be tried. */
  unsupported: [message: string];
};

/** Takes the media of an egress job. Never blocks and never throws into the job: what goes wrong is an event of its own. */
export interface EgressSink {
  readonly events: EventEmitter<EgressSinkEvents>;
  /** Before the first unit, and again whenever a stream changes. Kinds that are not described never come. */
  describe(streams: readonly EgressStream[]): void;
  write(unit: EgressUnit): void;
  /** Nothing is written while it is paused; then it goes on with a key picture. Only for who must know. */
  setPaused?(isPaused: boolean): void;
  /** Waits for what was captured before now; bounded in time. One that can is written to while it is paused, too. */
  finish?(): Promise<void>;
  readonly bytesOut: number;
  /** Finishes what it has; bounded in time. */
  close(): Promise<void>;
}
