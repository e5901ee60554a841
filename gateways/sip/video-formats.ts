// Owns: the video formats of an m-line: which of them we speak, and what the other end can show. Pure.
import type { VideoLegCodec, VideoLegFormat, VideoLimits } from '#core/video-leg-media.ts';
import type { Sdp, SdpBandwidth, SdpMedia } from './sdp.ts';

export interface VideoFormat extends VideoLegFormat {
  /** Of H264, six hexadecimal digits (RFC 6184 §8.1). */
  readonly profileLevelId: string;
  readonly hasLevelAsymmetry: boolean;
  /** Base64, out of sprop-parameter-sets. */
  readonly parameterSets: readonly string[];
  readonly limits: VideoLimits;
}

/** ITU-T H.264 table A-1: macroblocks a second and in a picture, kbit/s; by ten times the level. */
const levels: Readonly<Record<number, readonly [perS: number, size: number, kbps: number]>> = {
  10: [1_485, 99, 64],
  11: [3_000, 396, 192],
  12: [6_000, 396, 384],
  13: [11_880, 396, 768],
  20: [11_880, 396, 2_000],
  21: [19_800, 792, 4_000],
  22: [20_250, 1_620, 4_000],
  30: [40_500, 1_620, 10_000],
  31: [108_000, 3_600, 14_000],
  32: [216_000, 5_120, 20_000],
  40: [245_760, 8_192, 20_000],
  41: [245_760, 8_192, 50_000],
  42: [522_240, 8_704, 50_000],
  50: [589_824, 22_080, 135_000],
  51: [983_040, 36_864, 240_000],
  52: [2_073_600, 36_864, 240_000],
};
/** Baseline, main and high: decoded by browsers and by us. */
const profiles = /^(?:42|4d|64)[0-9a-f]{4}$/i;
/** RFC 6184 §8.1: what a description stands for that says nothing. */
const usualProfile = '42000a';
/** VP8 has no levels; 720p30 where nothing is said. */
const vp8Level = 31;
const audioShareBps = 64_000;

/** In the order of the m-line, but H264 in mode 1 before mode 0: it needs no encoder of its own. */
export function videoFormatsOf(sdp: Sdp, media: SdpMedia, allowed: readonly VideoLegCodec[]): VideoFormat[] {
  // Each once: an m-line can name the same thousands of times.
  const formats = [...new Set(media.formats)].flatMap((text) => {
    const payloadType = Number(text);
    if (!/^\d{1,3}$/.test(text) || payloadType > 127) return [];
    const map = attributeFor(media, 'rtpmap', payloadType);
    const name = /^([\w-]+)\/90000/.exec(map ?? '')?.[1]?.toLowerCase();
    const codec = allowed.find((each) => each === name);
    return codec ? (formatOf(codec, payloadType, sdp, media) ?? []) : [];
  });
  return formats.toSorted((a, b) => (a.codec === b.codec ? b.packetizationMode - a.packetizationMode : 0));
}

function formatOf(codec: VideoLegCodec, payloadType: number, sdp: Sdp, media: SdpMedia): VideoFormat | undefined {
  const parameters = parametersOf(attributeFor(media, 'fmtp', payloadType) ?? '');
  const profileLevelId = codec === 'h264' ? (parameters.get('profile-level-id') ?? usualProfile) : '';
  if (codec === 'h264' && !profiles.test(profileLevelId)) return undefined;
  const mode = codec === 'h264' ? Number(parameters.get('packetization-mode') ?? 0) : 1;
  // Mode 2 interleaves.
  if (mode !== 0 && mode !== 1) return undefined;
  const sets = (parameters.get('sprop-parameter-sets') ?? '').split(',');
  return {
    ...{ codec, payloadType, packetizationMode: mode, profileLevelId: profileLevelId.toLowerCase() },
    hasLevelAsymmetry: parameters.get('level-asymmetry-allowed') === '1',
    parameterSets: sets.filter((set) => /^[A-Za-z0-9+/]{4,1000}={0,2}$/.test(set)).slice(0, 16),
    limits: limitsOf(codec === 'h264' ? levelOf(profileLevelId) : vp8Level, { parameters, payloadType, sdp, media }),
  };
}

interface Described {
  readonly parameters: ReadonlyMap<string, string>;
  readonly payloadType: number;
  readonly sdp: Sdp;
  readonly media: SdpMedia;
}

function limitsOf(level: number, { parameters, payloadType, sdp, media }: Described): VideoLimits {
  const known = Object.keys(levels).map(Number);
  const [perS, size, kbps] = levels[known.findLast((one) => one <= level) ?? 10] ?? [1_485, 99, 64];
  const numberOf = (name: string, least: number) => {
    const value = Number(parameters.get(name) ?? 0);
    return Number.isFinite(value) ? Math.max(least, value) : least;
  };
  const framerate = Number(media.attributes.find(({ name }) => name === 'framerate')?.value);
  const maxFr = Number(parameters.get('max-fr'));
  const largest = largestImageOf(media, payloadType);
  return {
    maxMacroblocks: numberOf('max-fs', size),
    maxMacroblocksPerS: numberOf('max-mbps', perS),
    ...(largest && { maxWidth: largest.width, maxHeight: largest.height }),
    ...(framerate >= 1 && { maxFramerateHz: framerate }),
    ...(maxFr >= 1 && { maxFramerateHz: maxFr }),
    maxBitrateBps: Math.min(numberOf('max-br', kbps) * 1_000, bandwidthOf(sdp, media)),
  };
}

/** Level 1b is 11 with constraint_set3 in the profiles that phones use; it is little more than level 1. */
function levelOf(profileLevelId: string): number {
  const isOneB = (Number.parseInt(profileLevelId.slice(2, 4), 16) & 0x10) !== 0;
  const level = Number.parseInt(profileLevelId.slice(4), 16);
  return level === 11 && isOneB ? 10 : level;
}

/** TIAS is without headers (RFC 3890), AS with them; what is said of the session holds for the voice as well. */
function bandwidthOf(sdp: Sdp, media: SdpMedia): number {
  const withoutHeaders = ({ tiasBps, asBps }: SdpBandwidth) =>
    tiasBps ?? (asBps === undefined ? undefined : asBps * 0.93);
  const own = withoutHeaders(media.bandwidth);
  const ofSession = withoutHeaders(sdp.bandwidth);
  if (own !== undefined && own > 0) return own;
  return ofSession !== undefined && ofSession > audioShareBps ? ofSession - audioShareBps : Number.MAX_SAFE_INTEGER;
}

/** RFC 6236: `97 send … recv [x=640,y=480]`, with ranges and sets; the largest that it takes. */
function largestImageOf(media: SdpMedia, payloadType: number): { width: number; height: number } | undefined {
  const text = attributeFor(media, 'imageattr', payloadType) ?? attributeFor(media, 'imageattr', '*');
  const [received = ''] = text?.split(/\brecv /, 2)[1]?.split(/\bsend\b/, 1) ?? [];
  const largest = (axis: string) => {
    const values = [...received.matchAll(new RegExp(`\\b${axis}=(\\[[^\\][]*\\]|\\d+)`, 'g'))];
    return Math.max(0, ...values.flatMap(([, numbers = '']) => (numbers.match(/\d+/g) ?? []).map(Number)));
  };
  const [width, height] = [largest('x'), largest('y')];
  return width >= 16 && height >= 16 ? { width, height } : undefined;
}

function attributeFor(media: SdpMedia, wanted: string, type: number | string): string | undefined {
  const start = `${type} `;
  return media.attributes
    .find(({ name, value }) => name === wanted && value.startsWith(start))
    ?.value.slice(start.length)
    .trim();
}

function parametersOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(';').flatMap((pair) => {
      const [name = '', ...value] = pair.split('=');
      return value.length === 0 ? [] : [[name.trim().toLowerCase(), value.join('=').trim()] as const];
    }),
  );
}

/** The attributes of one format. */
export function videoFormatLines(format: Omit<VideoFormat, 'limits' | 'parameterSets'>): string[] {
  const { codec, payloadType, packetizationMode, profileLevelId, hasLevelAsymmetry } = format;
  if (codec === 'vp8') return [`a=rtpmap:${payloadType} VP8/90000`];
  const asymmetry = hasLevelAsymmetry ? ';level-asymmetry-allowed=1' : '';
  return [
    `a=rtpmap:${payloadType} H264/90000`,
    `a=fmtp:${payloadType} profile-level-id=${profileLevelId};packetization-mode=${packetizationMode}${asymmetry}`,
  ];
}
