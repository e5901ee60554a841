// Owns: what a body of HTTP or a file is, by its first bytes and by what the server says of it. Pure.

export type MediaKind = 'hls' | 'mpegts' | 'flv' | 'container' | 'adts' | 'mpeg_audio';

/** So many bytes decide: three packets of MPEG-TS, whose first may be cut. */
export const headBytes = 4 * 188;

const tsPacketBytes = 188;

const byContentType: Readonly<Record<string, MediaKind>> = {
  'application/vnd.apple.mpegurl': 'hls',
  'application/x-mpegurl': 'hls',
  'audio/mpegurl': 'hls',
  'audio/x-mpegurl': 'hls',
  'video/mp2t': 'mpegts',
  'video/x-flv': 'flv',
  'video/mp4': 'container',
  'video/quicktime': 'container',
  'video/webm': 'container',
  'video/x-matroska': 'container',
  'audio/mp4': 'container',
  'audio/webm': 'container',
  'audio/ogg': 'container',
  'audio/flac': 'container',
  'audio/aac': 'adts',
  'audio/aacp': 'adts',
  'audio/mpeg': 'mpeg_audio',
};

/**
 * What the bytes are counts for more than what the server says: many say `application/octet-stream`, some something wrong.
 * @param head up to `headBytes`, or the whole if it is shorter
 */
export function mediaKindOf(head: Buffer, contentType = ''): MediaKind | undefined {
  return byMagic(head) ?? byContentType[contentType];
}

function byMagic(head: Buffer): MediaKind | undefined {
  const text = head.toString('latin1', 0, 12);
  if (/^(\xef\xbb\xbf)?#EXTM3U/.test(text)) return 'hls';
  if (text.startsWith('FLV\x01')) return 'flv';
  if (looksLikeTs(head)) return 'mpegts';
  if (['ftyp', 'styp', 'moov', 'mdat', 'wide', 'free', 'skip'].includes(text.slice(4, 8))) return 'container';
  if (head.length >= 4 && head.readUInt32BE(0) === 0x1a45dfa3) return 'container'; // EBML: Matroska, WebM
  if (text.startsWith('OggS') || text.startsWith('fLaC')) return 'container';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WAVE') return 'container';
  if (text.startsWith('ID3')) return undefined; // before AAC and MP3 alike
  const sync = head.length >= 2 ? head.readUInt16BE(0) : 0;
  if ((sync & 0xfff6) === 0xfff0) return 'adts';
  return (sync & 0xffe0) === 0xffe0 && (sync & 0x06) !== 0 ? 'mpeg_audio' : undefined;
}

/** Sync bytes in their places. */
function looksLikeTs(head: Buffer): boolean {
  for (let at = 0; at < Math.min(tsPacketBytes, head.length - 2 * tsPacketBytes); at++) {
    if ([0, 1, 2].every((index) => head[at + index * tsPacketBytes] === 0x47)) return true;
  }
  return false;
}
