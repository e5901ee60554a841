// Owns: what recordings ask of the disk. Implemented in src/recordings. May import: core only.
import type { RecordingId } from './ids.ts';
import type { RecordFormat } from './record-sink.ts';
import type { RecordingPart } from './recording-record.ts';

/** A file as a recorder left it, or still writes it. */
export interface RawPart {
  readonly path: string;
  readonly track: number;
  /** From 1, within its track. */
  readonly number: number;
  readonly startedAtMs: number;
  /** When the last of it came. */
  readonly writtenAtMs: number;
  readonly bytes: number;
}

export interface FinishOptions {
  readonly raw: RawPart;
  readonly format: RecordFormat;
  /** Below the folder of recordings, without the ending; another is taken when it exists. */
  readonly target: string;
  /** Where it goes when that cannot be: a file is in the way of a folder, the folder may not be written to. */
  readonly otherwise: string;
  readonly hasVideo: boolean;
}

export type FinishedPart = Pick<
  RecordingPart,
  'file' | 'bytes' | 'durationMs' | 'streams' | 'thumbnail' | 'isIndexed' | 'startedAtMs'
>;

export interface DiskUsage {
  /** Of all that is in the folder of recordings. */
  readonly recordingsBytes: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface RecordingFiles {
  /** @throws GatewayError `insufficient_storage` when nothing can be recorded now */
  checkSpace(): Promise<void>;
  /** Where the recorder of a track writes; made if need be. */
  makeWorkFolder(id: RecordingId, track: number): Promise<string>;
  /** In order of their beginning. */
  rawParts(id: RecordingId): Promise<readonly RawPart[]>;
  /** The raw file is gone afterwards. @returns undefined when nothing in it can be played */
  finish(options: FinishOptions): Promise<FinishedPart | undefined>;
  removeWork(id: RecordingId): Promise<void>;
  /** A file and its thumbnail; those that are gone are no error. */
  remove(part: Pick<RecordingPart, 'file' | 'thumbnail'>): Promise<void>;
  usage(): Promise<DiskUsage>;
  /** Absolute. @throws GatewayError `not_found` for what leads elsewhere */
  pathOf(file: string): string;
}
