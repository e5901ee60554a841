// Owns: what is kept of a recording, in the store. Plain data. May import: core only.
import type { RecordingId, RoomId } from './ids.ts';
import type { TapSound } from './mix-messages.ts';
import type { RecordFormat } from './record-sink.ts';

/**
 *     starting ──> recording <──> paused
 *        │            │             │
 *        └────────────┴──> finalising ──> finished | failed
 *
 * `failed` may have parts too: what was written until then.
 */
export type RecordingState = 'starting' | 'recording' | 'paused' | 'finalising' | 'finished' | 'failed';

export const recordingReasons = [
  'requested',
  'media_flowing',
  'paused',
  'stopped',
  'room_closed',
  /** Nobody has been in it for as long as an empty room stays open. */
  'room_empty',
  /** As long as it was to be, or as the configuration allows. */
  'limit_reached',
  'disk_full',
  'not_writable',
  'overloaded',
  'unsupported_media',
  /** Nothing ever came that could be written. */
  'no_media',
  /** The gateway ended while it recorded; what was written until then is there. */
  'gateway_ended',
  /** Of a recording of one call. */
  'call_ended',
  /** Of a recording of one stream or view. */
  'stream_ended',
  'internal',
] as const;
export type RecordingReason = (typeof recordingReasons)[number];

/** What is recorded: the room as one sees and hears it, one participant or stream, or all of them in files of their own. */
export type RecordingSource =
  | { readonly kind: 'room' }
  /** Another view than `common`, with the sound of everybody. */
  | { readonly kind: 'view'; readonly view: string }
  | { readonly kind: 'participant'; readonly participantId: string }
  | { readonly kind: 'participants' }
  /** One publication: a camera, a microphone, a shared screen. */
  | { readonly kind: 'stream'; readonly streamId: string }
  /** All publications, each in files of its own. */
  | { readonly kind: 'streams' }
  /** What one phone says and hears, in whichever room it is. */
  | { readonly kind: 'call'; readonly callId: string; readonly sound: TapSound };

export interface RecordingSettings {
  readonly source: RecordingSource;
  readonly hasAudio: boolean;
  /** Of participants. `auto` copies what the format can hold where its size does not change; a room is always encoded. */
  readonly video: 'auto' | 'copy' | 'encode' | 'off';
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly format: RecordFormat;
  readonly audioCodec: 'aac' | 'opus';
  /** Of its files, without the ending. */
  readonly template: string;
  /** For people, and for the template. */
  readonly name?: string | undefined;
  readonly segmentMs?: number | undefined;
  readonly segmentBytes?: number | undefined;
  /** Ends it by itself. */
  readonly maxDurationMs?: number | undefined;
  /** Local files go when they are in S3. */
  readonly deletesAfterUpload: boolean;
  readonly isUploaded: boolean;
}

/** One line of files: the room, or one participant or stream for as long as it was there. */
export interface RecordingTrack {
  /** From 1; names its folder while it is recorded. */
  readonly number: number;
  readonly label: string;
  readonly participantId?: string | undefined;
  readonly streamId?: string | undefined;
}

export interface UploadStatus {
  readonly state: 'waiting' | 'uploading' | 'uploaded' | 'failed';
  readonly attempts: number;
  readonly sentBytes: number;
  /** Where it is: `s3://bucket/key`. */
  readonly url?: string | undefined;
  readonly message?: string | undefined;
}

export interface RecordingPart {
  /** From 1, in the order in which they began. */
  readonly number: number;
  readonly track: number;
  /** Below the folder of recordings, with slashes. */
  readonly file: string;
  readonly bytes: number;
  readonly durationMs: number;
  readonly startedAtMs: number;
  readonly streams: readonly {
    readonly kind: 'audio' | 'video';
    readonly codec: string;
    readonly width?: number | undefined;
    readonly height?: number | undefined;
  }[];
  readonly thumbnail?: string | undefined;
  /** False for one that plays, but could not be given an index. */
  readonly isIndexed: boolean;
  /** The file is on this disk. */
  readonly isLocal: boolean;
  readonly upload?: UploadStatus | undefined;
}

export interface RecordingRecord extends RecordingSettings {
  readonly id: RecordingId;
  readonly roomId: RoomId;
  readonly roomName: string;
  readonly state: RecordingState;
  readonly reason: RecordingReason;
  readonly message: string;
  readonly changedAtMs: number;
  readonly startedAtMs: number;
  readonly endedAtMs?: number | undefined;
  readonly tracks: readonly RecordingTrack[];
  readonly parts: readonly RecordingPart[];
}

const moves: Readonly<Record<RecordingState, readonly RecordingState[]>> = {
  starting: ['recording', 'paused', 'finalising', 'failed'],
  recording: ['paused', 'finalising', 'failed'],
  paused: ['recording', 'finalising', 'failed'],
  finalising: ['finished', 'failed'],
  finished: [],
  failed: [],
};

export function canMoveRecording(from: RecordingState, to: RecordingState): boolean {
  return moves[from].includes(to);
}

/** Media may still come. */
export function isRunning(state: RecordingState): boolean {
  return state === 'starting' || state === 'recording' || state === 'paused';
}

export function isOver(state: RecordingState): boolean {
  return state === 'finished' || state === 'failed';
}
