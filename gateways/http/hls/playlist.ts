// Owns: what HLS playlists say (RFC 8216), read strictly enough for hostile ones. Pure. May import: core.
import { GatewayError } from '#core/errors.ts';

export interface Variant {
  readonly uri: string;
  readonly bandwidthBps: number;
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** RFC 6381, in lower case; empty where it says none. */
  readonly codecs: string;
  /** Group of the renditions that its sound is in. */
  readonly audioGroup: string | undefined;
}

/** Sound beside the variant. */
export interface AudioRendition {
  readonly groupId: string;
  /** Absent where it is in the variant's own segments. */
  readonly uri: string | undefined;
  readonly isDefault: boolean;
}

export interface MasterPlaylist {
  readonly kind: 'master';
  readonly variants: readonly Variant[];
  readonly audio: readonly AudioRendition[];
}

export interface ByteRange {
  readonly first: number;
  readonly length: number;
}

/** AES-128, CBC. */
export interface SegmentKey {
  readonly uri: string;
  /** The sequence number when absent. */
  readonly iv: Buffer | undefined;
}

export interface Resource {
  readonly uri: string;
  readonly range: ByteRange | undefined;
}

export interface Segment extends Resource {
  readonly sequence: number;
  /** Counts discontinuities: what has the same is on one time line. */
  readonly discontinuity: number;
  readonly durationS: number;
  readonly key: SegmentKey | undefined;
  /** Initialisation section, of fragmented MP4. */
  readonly map: Resource | undefined;
  /** There is none at this place. */
  readonly isGap: boolean;
}

export interface MediaPlaylist {
  readonly kind: 'media';
  readonly targetDurationS: number;
  readonly segments: readonly Segment[];
  /** No more will come. */
  readonly isEnded: boolean;
}

export type Playlist = MasterPlaylist | MediaPlaylist;

const maxLines = 200_000;
const maxVariants = 200;
const maxSegments = 50_000;

/** @throws GatewayError `unsupported_media_type` for what is no playlist, or one that is encrypted otherwise */
export function parsePlaylist(text: string): Playlist {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/, maxLines);
  if (!lines[0]?.startsWith('#EXTM3U')) throw unsupported('What came is no HLS playlist.');
  const isMaster = lines.some((line) => line.startsWith('#EXT-X-STREAM-INF:'));
  return isMaster ? parseMaster(lines) : parseMedia(lines);
}

function parseMaster(lines: readonly string[]): MasterPlaylist {
  const variants: Variant[] = [];
  const audio: AudioRendition[] = [];
  let pending: Attributes | undefined;
  for (const line of lines) {
    const [tag, value] = tagOf(line);
    if (tag === '#EXT-X-STREAM-INF') pending = attributesOf(value);
    else if (tag === '#EXT-X-MEDIA') {
      const { TYPE, 'GROUP-ID': groupId, URI: uri, DEFAULT } = attributesOf(value);
      if (TYPE === 'AUDIO' && groupId !== undefined && audio.length < maxVariants) {
        audio.push({ groupId, uri, isDefault: DEFAULT === 'YES' });
      }
    } else if (line !== '' && !line.startsWith('#') && pending) {
      if (variants.length < maxVariants) variants.push(variantOf(line, pending));
      pending = undefined;
    }
  }
  return { kind: 'master', variants, audio };
}

function variantOf(uri: string, attributes: Attributes): Variant {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(attributes.RESOLUTION ?? '') ?? [];
  return {
    uri,
    bandwidthBps: numberOf(attributes.BANDWIDTH) ?? 0,
    width: numberOf(width),
    height: numberOf(height),
    codecs: (attributes.CODECS ?? '').toLowerCase(),
    audioGroup: attributes.AUDIO,
  };
}

/** What holds for the segments that follow, until it is said anew (§4.3.2). */
interface Running {
  sequence: number;
  discontinuity: number;
  durationS: number | undefined;
  range: string | undefined;
  key: SegmentKey | undefined;
  map: Resource | undefined;
  isGap: boolean;
  /** Where the next byte range of a resource begins that does not say. */
  nextByte: { uri: string; at: number } | undefined;
}

function parseMedia(lines: readonly string[]): MediaPlaylist {
  const segments: Segment[] = [];
  let targetDurationS = 0;
  let isEnded = false;
  const running: Running = {
    ...{ sequence: 0, discontinuity: 0, isGap: false },
    ...{ durationS: undefined, range: undefined, key: undefined, map: undefined, nextByte: undefined },
  };
  for (const line of lines) {
    const [tag, value] = tagOf(line);
    if (tag === '#EXT-X-TARGETDURATION') targetDurationS = numberOf(value) ?? 0;
    else if (tag === '#EXT-X-ENDLIST') isEnded = true;
    else if (line.startsWith('#')) note(running, tag, value);
    else if (line !== '' && running.durationS !== undefined && segments.length < maxSegments) {
      segments.push(takeSegment(running, line, running.durationS));
    }
  }
  if (segments.length === 0 && targetDurationS === 0) throw unsupported('The HLS playlist holds no segments.');
  const longestS = segments.reduce((longest, { durationS }) => Math.max(longest, durationS), 0);
  // It may not be shorter than a segment; one of a day would never be looked at again.
  return { kind: 'media', targetDurationS: Math.min(60, Math.max(1, targetDurationS, longestS)), segments, isEnded };
}

function note(running: Running, tag: string, value: string): void {
  if (tag === '#EXT-X-MEDIA-SEQUENCE') running.sequence = numberOf(value) ?? 0;
  else if (tag === '#EXT-X-DISCONTINUITY-SEQUENCE') running.discontinuity = numberOf(value) ?? 0;
  else if (tag === '#EXT-X-DISCONTINUITY') running.discontinuity += 1;
  else if (tag === '#EXTINF') running.durationS = Math.max(0, Number.parseFloat(value) || 0);
  else if (tag === '#EXT-X-BYTERANGE') running.range = value;
  else if (tag === '#EXT-X-GAP') running.isGap = true;
  else if (tag === '#EXT-X-KEY') running.key = keyOf(attributesOf(value));
  else if (tag === '#EXT-X-MAP') {
    const { URI: uri, BYTERANGE: range } = attributesOf(value);
    running.map = uri === undefined ? undefined : { uri, range: range ? byteRangeOf(range, 0) : undefined };
  }
}

function takeSegment(running: Running, uri: string, durationS: number): Segment {
  const { sequence, discontinuity, key, map, isGap, nextByte } = running;
  const range =
    running.range === undefined ? undefined : byteRangeOf(running.range, nextByte?.uri === uri ? nextByte.at : 0);
  running.nextByte = range && { uri, at: range.first + range.length };
  running.sequence += 1;
  running.durationS = undefined;
  running.range = undefined;
  running.isGap = false;
  return { uri, range, sequence, discontinuity, durationS, key, map, isGap };
}

function keyOf({ METHOD, URI: uri, IV, KEYFORMAT = 'identity' }: Attributes): SegmentKey | undefined {
  if (METHOD === 'NONE') return undefined;
  if (METHOD !== 'AES-128' || uri === undefined || KEYFORMAT !== 'identity') {
    throw unsupported(`The playlist is encrypted by ${METHOD ?? 'nothing known'} (${KEYFORMAT}); AES-128 can be read.`);
  }
  const [, hex] = /^0x([0-9a-f]{1,32})$/i.exec(IV ?? '') ?? [];
  return { uri, iv: hex === undefined ? undefined : Buffer.from(hex.padStart(32, '0'), 'hex') };
}

/** `length[@offset]`. */
function byteRangeOf(text: string, defaultFirst: number): ByteRange {
  const [, length, first] = /^(\d{1,15})(?:@(\d{1,15}))?$/.exec(text.trim()) ?? [];
  if (length === undefined || length === '0') throw unsupported('The playlist has a byte range that is none.');
  return { length: Number(length), first: first === undefined ? defaultFirst : Number(first) };
}

function tagOf(line: string): readonly [tag: string, value: string] {
  const colon = line.indexOf(':');
  return colon < 0 ? [line.trim(), ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
}

type Attributes = Readonly<Record<string, string | undefined>>;

/** §4.2: names of capital letters, values that are bare or in quotes. */
function attributesOf(text: string): Attributes {
  const found = text.matchAll(/([A-Z0-9-]{1,64})=(?:"([^"]{0,4096})"|([^",]{0,4096}))/g);
  return Object.fromEntries([...found.take(64)].map(([, name, quoted, bare]) => [name ?? '', quoted ?? bare]));
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function unsupported(message: string): GatewayError {
  return new GatewayError('unsupported_media_type', message);
}
