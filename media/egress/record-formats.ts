// Owns: which muxer makes which kind of recording. Pure.
import type { RecordFormat } from '#core/record-sink.ts';
import type { MuxerFormat } from '../av/muxer.ts';

export const muxerFormats: Readonly<Record<RecordFormat, MuxerFormat>> = {
  mp4: 'mp4',
  m4a: 'mp4',
  mkv: 'matroska',
  mka: 'matroska',
  webm: 'webm',
  ogg: 'ogg',
};
