// Owns: the words in which a protocol session hands elementary streams to a media pipeline. Lives in core because
// gateways (who speak RTMP, RTSP …) and media (who forward and transcode) may not import each other. Types only.
import type { ErrorCode } from './errors.ts';
import type { CloseReason } from './lifecycle.ts';
import type { MediaKind } from './rtp.ts';

export const videoCodecs = ['h264', 'h265', 'vp8', 'vp9', 'av1', 'mpeg4', 'mpeg2', 'mjpeg', 'h263', 'vp6'] as const;
export type VideoCodec = (typeof videoCodecs)[number];

export const audioCodecs = [
  'opus',
  'aac',
  'mp3',
  'mp2',
  'ac3',
  'eac3',
  'flac',
  'vorbis',
  'nellymoser',
  'speex',
  'pcmu',
  'pcma',
  'g722',
  'g726',
  'l16',
] as const;
export type AudioCodec = (typeof audioCodecs)[number];

/** How a stream's media arrives: whole access units with times, or the RTP packets of the sender as they are. */
export type StreamFraming =
  /** Access units. H264/H265 as NAL units behind a big-endian length of `lengthSize` bytes (RTMP, FLV, MP4). */
  | { readonly kind: 'length_prefixed'; readonly lengthSize: 1 | 2 | 4 }
  /** Access units. H264/H265 as Annex B byte stream; every other codec as its bare frame (AAC without ADTS). */
  | { readonly kind: 'bare' }
  /** RTP packets; `SourceStream.rtp` says how to read them. */
  | { readonly kind: 'rtp' };

/** What SDP says of an RTP stream (RFC 8866); format parameters with lower-case names. */
export interface RtpFormat {
  readonly payloadType: number;
  /** As in a=rtpmap: `H264`, `MPEG4-GENERIC`, `G726-32`. */
  readonly encodingName: string;
  readonly clockRateHz: number;
  readonly channels: number;
  readonly formatParameters: Readonly<Record<string, string>>;
}

/** One elementary stream of a source. Announced before its first unit, and again when its configuration changes. */
export interface SourceStream {
  /** Unique within its source and kept for as long as the source lives. */
  readonly id: number;
  readonly kind: MediaKind;
  readonly codec: VideoCodec | AudioCodec;
  readonly framing: StreamFraming;
  /**
   * Decoder configuration, where the codec has one outside its frames: AVCDecoderConfigurationRecord,
   * HEVCDecoderConfigurationRecord, AV1CodecConfigurationRecord, AudioSpecificConfig, OpusHead, MPEG-4 VOL header.
   */
  readonly config?: Uint8Array | undefined;
  readonly sampleRateHz?: number | undefined;
  readonly channels?: number | undefined;
  /** As far as the protocol says (onMetaData); the bitstream knows better. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly framerateHz?: number | undefined;
  /** Only with framing `rtp`. */
  readonly rtp?: RtpFormat | undefined;
}

export type SourceUnit =
  | {
      readonly kind: 'access_unit';
      readonly streamId: number;
      /** Presentation time on the source's clock, unwrapped; may be negative. */
      readonly ptsUs: number;
      /** Decoding time; equals `ptsUs` unless frames are reordered. */
      readonly dtsUs: number;
      /** As the container says; a hint. */
      readonly isKey: boolean;
      /** The receiver may keep it: the sender does not write to it again. */
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'rtp';
      readonly streamId: number;
      /** One packet from its first byte (RFC 3550 §5.1), already checked to be at least a header. May be kept. */
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'rtcp';
      readonly streamId: number;
      /** A compound packet of the sender (RFC 3550 §6.1). May be kept. */
      readonly data: Uint8Array;
    };

/** Why a source stopped; what the pipeline does next depends on `mayReturn`. */
export interface SourceEnd {
  readonly reason: CloseReason;
  /** What went wrong, absent after a regular end. */
  readonly error?: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** True where another attempt may succeed: lost, refused for now, silent. False for a wrong password or an unknown path. */
  readonly mayReturn: boolean;
  /** When to make the next attempt; the pipeline's own back-off decides when absent. */
  readonly retryInMs?: number | undefined;
}

/** What a source calls. Never throws; calls after the source's `close()` are ignored. */
export interface SourceSink {
  /** A stream appeared, or one of the same id has a new configuration. */
  describe(stream: SourceStream): void;
  deliver(unit: SourceUnit): void;
}

/**
 * One connection that brings media: an RTMP publisher, an RTSP camera. It connects once; back-off and another attempt
 * are the pipeline's, which makes a new source for each. Runs in the control process or in a media worker alike: no
 * globals, no FFmpeg.
 */
export interface MediaSource {
  /** Settles when it is over, for whatever reason, with everything released; never rejects. */
  readonly done: Promise<SourceEnd>;
  /** Begins to connect (or to read what has connected) and delivers into `sink` until `done`. Call once. */
  start(sink: SourceSink): void;
  /** @returns false where the protocol cannot ask for one (RTMP) */
  requestKeyFrame(streamId: number): boolean;
  /** Stops reading from the peer, which slows a TCP sender down; UDP drops instead. */
  pause(): void;
  resume(): void;
  close(reason?: CloseReason): void;
}
