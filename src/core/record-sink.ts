// Owns: what a recorder in a media worker is told. Plain data. May import: core only.

export const recordFormats = ['mp4', 'mkv', 'webm', 'm4a', 'mka', 'ogg'] as const;
export type RecordFormat = (typeof recordFormats)[number];

/** What a file of each kind can hold untouched. */
export const recordCodecs: Readonly<Record<RecordFormat, readonly string[]>> = {
  mp4: ['h264', 'h265', 'av1', 'vp9', 'opus', 'aac'],
  mkv: ['h264', 'h265', 'av1', 'vp8', 'vp9', 'opus', 'aac'],
  webm: ['vp8', 'vp9', 'av1', 'opus'],
  m4a: ['aac', 'opus'],
  mka: ['aac', 'opus'],
  ogg: ['opus'],
};

/** What most players take in such a file. */
export const recordSound: Readonly<Record<RecordFormat, 'aac' | 'opus'>> = {
  mp4: 'aac',
  m4a: 'aac',
  mkv: 'opus',
  mka: 'opus',
  webm: 'opus',
  ogg: 'opus',
};

export interface RecordSinkSpec {
  readonly type: 'record';
  /** Absolute; parts are numbered through in it. */
  readonly folder: string;
  readonly format: RecordFormat;
  readonly audioCodec: 'aac' | 'opus';
  /** There are always pictures, sooner or later: it does not begin with sound alone. */
  readonly needsVideo: boolean;
  /** A part ends at the next key frame after so much. */
  readonly segmentMs?: number | undefined;
  readonly segmentBytes?: number | undefined;
}
