// Owns: the initialisation segment of a fragmented MP4 file (ISO/IEC 14496-12 §8, CMAF ISO/IEC 23000-19 §7.3.1). Pure.
import { box, fullBox, text, u8, u16, u32 } from './box.ts';
import { codecEntry } from './sample-entry.ts';
import type { TrackFormat } from './track.ts';

export interface InitSegment {
  readonly data: Buffer;
  /** Of each track, in order. */
  readonly codecs: readonly string[];
}

/** @returns undefined when the configuration of a codec cannot be one */
export function initSegment(tracks: readonly TrackFormat[]): InitSegment | undefined {
  const entries = tracks.map(codecEntry);
  const known = entries.filter((entry) => entry !== undefined);
  if (known.length !== tracks.length) return undefined;
  const moov = box(
    'moov',
    movieHeader(tracks.length + 1),
    ...tracks.map((track, index) => trackBox(track, known[index]?.entry ?? Buffer.alloc(0))),
    // Every fragment says all of its samples.
    box('mvex', ...tracks.map(({ id }) => fullBox('trex', 0, 0, u32(id, 1, 0, 0, 0)))),
  );
  const fileType = box('ftyp', text('iso6'), u32(0), text('iso6cmfcmp41'));
  return { data: Buffer.concat([fileType, moov]), codecs: known.map(({ codecs }) => codecs) };
}

/** The unity matrix of 16.16 and 2.30 fixed point. */
const unity = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

function movieHeader(nextTrackId: number): Buffer {
  const rate = 0x10000;
  return fullBox(
    'mvhd',
    0,
    0,
    u32(0, 0, 1_000, 0, rate),
    u16(0x100, 0),
    u32(0, 0),
    unity,
    Buffer.alloc(24),
    u32(nextTrackId),
  );
}

function trackBox(track: TrackFormat, entry: Buffer): Buffer {
  const isVideo = track.kind === 'video';
  const [width, height] = isVideo ? [track.width, track.height] : [0, 0];
  const isInMovie = 7; // enabled, in the movie, in the preview
  const header = fullBox(
    'tkhd',
    0,
    isInMovie,
    u32(0, 0, track.id, 0, 0, 0, 0),
    u16(0, 0, isVideo ? 0 : 0x100, 0),
    unity,
    u32(width * 0x10000, height * 0x10000),
  );
  const undetermined = 0x55c4; // ISO 639-2 `und`, five bits a letter
  const media = box(
    'mdia',
    fullBox('mdhd', 0, 0, u32(0, 0, track.timescaleHz, 0), u16(undetermined, 0)),
    fullBox('hdlr', 0, 0, u32(0), text(isVideo ? 'vide' : 'soun'), u32(0, 0, 0), text('Switchyard'), u8(0)),
    box(
      'minf',
      isVideo ? fullBox('vmhd', 0, 1, u16(0, 0, 0, 0)) : fullBox('smhd', 0, 0, u16(0, 0)),
      box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1))),
      // The samples are in fragments: these tables are empty.
      box(
        'stbl',
        fullBox('stsd', 0, 0, u32(1), entry),
        ...['stts', 'stsc'].map((type) => fullBox(type, 0, 0, u32(0))),
        fullBox('stsz', 0, 0, u32(0, 0)),
        fullBox('stco', 0, 0, u32(0)),
      ),
    ),
  );
  return box('trak', header, media);
}
