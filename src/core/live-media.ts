// Owns: media on its way to players that are no WebRTC: fragments of an MP4 file, as a media worker makes them. Types only.
import type { MediaKind } from './rtp.ts';

export interface LiveTrack {
  readonly kind: MediaKind;
  /** RFC 6381: `avc1.42e01f`, `mp4a.40.2`. */
  readonly codecs: string;
  /** Initialisation segment of this track alone. */
  readonly init: Uint8Array;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly sampleRateHz?: number | undefined;
  readonly channels?: number | undefined;
  /** What its encoder was asked to keep to, where that is known. */
  readonly bitrateBps?: number | undefined;
  /** Of a ladder: 0, or absent, for the first and largest encoding of the pictures. */
  readonly rung?: number | undefined;
}

/** What the fragments after it are to be read with; another one comes when a codec or size changes. */
export interface LiveInit {
  /** Initialisation segment of all tracks together: the same fragments fit both. */
  readonly muxed: Uint8Array;
  readonly tracks: readonly LiveTrack[];
  /** The same pictures in smaller encodings, whose key pictures are those of the first. */
  readonly rungs?: readonly LiveTrack[] | undefined;
}

/** `moof` and `mdat` of one track. */
export interface LiveFragment {
  readonly kind: MediaKind;
  /** Decoding time of its first sample, microseconds; one clock for all tracks. */
  readonly startUs: number;
  readonly durationUs: number;
  /** Decoding may begin with it; always so for audio. */
  readonly isKey: boolean;
  readonly data: Uint8Array;
  /** Of a ladder: which encoding. */
  readonly rung?: number | undefined;
  /** Of a ladder: a segment of this encoding begins here, as in all others; where there is none, the receiver chooses. */
  readonly isCut?: boolean | undefined;
}
