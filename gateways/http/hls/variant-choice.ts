// Owns: which variant of a master playlist is played. Pure. May import: its neighbours.
import type { MasterPlaylist, Variant } from './playlist.ts';

export interface VariantWish {
  /** Lines of the picture, its shorter side; 1080 unless said. */
  readonly maxHeight?: number | undefined;
  readonly maxBitrateBps?: number | undefined;
  readonly wantsVideo: boolean;
}

const defaultMaxHeight = 1_080;
/** RFC 6381 names of what can be brought into a room, as it is or transcoded; those that need no transcoder first. */
const knownVideo = /^(avc[13]|hvc1|hev1|vp0?[89]|av01|mp4v)/;

/**
 * The best that fits: the largest picture, then H264 before what has to be transcoded, then the highest bitrate. Where
 * none fits, the smallest that there is.
 * @returns in order of preference: the next is tried where one cannot be had
 */
export function preferredVariants({ variants }: MasterPlaylist, wish: VariantWish): Variant[] {
  const readable = variants.filter(isReadable);
  const choice = readable.length > 0 ? readable : [...variants];
  if (!wish.wantsVideo) return choice.sort((a, b) => Number(hasVideo(a)) - Number(hasVideo(b)) || byBitrate(a, b));
  const seen = choice.some(hasVideo) ? choice.filter(hasVideo) : choice;
  const { maxHeight = defaultMaxHeight, maxBitrateBps = Number.POSITIVE_INFINITY } = wish;
  const fits = (one: Variant) => linesOf(one) <= maxHeight && one.bandwidthBps <= maxBitrateBps;
  const fitting = seen.filter(fits).sort((a, b) => linesOf(b) - linesOf(a) || rank(a) - rank(b) || byBitrate(b, a));
  const others = seen.filter((one) => !fits(one)).sort((a, b) => linesOf(a) - linesOf(b) || byBitrate(a, b));
  return [...fitting, ...others];
}

/** @returns where its sound is, if it is not in its own segments */
export function audioUriOf({ audio }: MasterPlaylist, { audioGroup }: Variant): string | undefined {
  const group = audio.filter(({ groupId }) => groupId === audioGroup);
  return (group.find(({ isDefault }) => isDefault) ?? group[0])?.uri;
}

function isReadable({ codecs }: Variant): boolean {
  const names = codecs.split(',').map((name) => name.trim());
  const isAudio = (name: string) => /^(mp4a|opus|ac-3|ec-3|flac|fLaC|mp3|$)/i.test(name);
  return codecs === '' || names.some((name) => knownVideo.test(name)) || names.every(isAudio);
}

function hasVideo({ codecs, height }: Variant): boolean {
  return height !== undefined || codecs === '' || codecs.split(',').some((name) => knownVideo.test(name.trim()));
}

/** Of the shorter side: 1080 for a portrait of 1080x1920 too. */
function linesOf({ width = 0, height = 0 }: Variant): number {
  return Math.min(width || height, height);
}

function rank({ codecs }: Variant): number {
  return codecs === '' || /avc[13]/.test(codecs) ? 0 : 1;
}

function byBitrate(a: Variant, b: Variant): number {
  return a.bandwidthBps - b.bandwidthBps;
}
