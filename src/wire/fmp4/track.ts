// Owns: what a track of a fragmented MP4 file is. Types only. May import: nothing.

interface TrackBase {
  /** track_ID, from 1. */
  readonly id: number;
  /** Ticks a second of its times. */
  readonly timescaleHz: number;
}

export interface VideoFormat extends TrackBase {
  readonly kind: 'video';
  /** `vp9`: what its first key frame says is the configuration; `av1`: its sequence header, an OBU with its size. */
  readonly codec: 'h264' | 'h265' | 'vp9' | 'av1';
  /** AVCDecoderConfigurationRecord, HEVCDecoderConfigurationRecord, first key frame (vp9), first temporal unit (av1). */
  readonly config: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface AudioFormat extends TrackBase {
  readonly kind: 'audio';
  readonly codec: 'aac' | 'opus';
  /** AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), OpusHead (RFC 7845 §5.1). */
  readonly config: Uint8Array;
  readonly sampleRateHz: number;
  readonly channels: number;
}

export type TrackFormat = VideoFormat | AudioFormat;
