// Owns: what can be said of a view while nobody watches it, and what it is when nothing is said. May import: core only.
import { defaultBitrateBps } from './default-bitrate.ts';
import { GatewayError } from './errors.ts';
import { imageFacts } from './image-facts.ts';
import { type RoomMedia, usualMedia } from './room-media.ts';
import { assertLayout, maxRegions, type ViewLayout } from './view-layout.ts';
import { type EncoderRequest, encodableBps, encoderLimits, type ViewCodec, type ViewLook } from './view-messages.ts';

/** What goes in by itself: everything (phones as initials), what has a picture, phones alone, or nothing. */
export const autoMixRules = ['all', 'cameras', 'phones', 'none'] as const;
export type AutoMix = (typeof autoMixRules)[number];

export interface ViewVideo {
  readonly width: number;
  readonly height: number;
  readonly framerateHz: number;
  /** For viewers that can take several. */
  readonly codec: Exclude<ViewCodec, 'h265' | 'av1'>;
  /** By size, codec and motion when absent. */
  readonly bitrateBps?: number | undefined;
  readonly keyFrameIntervalS: number;
  /** 1 for sport; how much of the usual bitrate its pictures need. */
  readonly motionFactor: number;
  /** Heights of further encodings for players of HLS and DASH; those of the server when absent, none when empty. */
  readonly ladder?: readonly number[] | undefined;
}

export interface ViewSettings {
  /** Part of URLs. */
  readonly name: string;
  readonly video: ViewVideo;
  readonly look: ViewLook;
  readonly autoMix: AutoMix;
  readonly hasAudio: boolean;
  /** Absent: it has. One without is the room's mix and nothing else. */
  readonly hasVideo?: boolean | undefined;
  /** Of the background image, which lies in the store beside the room. */
  readonly imageId?: string | undefined;
}

export const maxViews = 16;
/** Without flags, which a pattern of JSON Schema cannot have. */
export const backgroundColorPattern = /^#[0-9a-fA-F]{6}$/;
export const viewNamePattern = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;
const maxImageBytes = 2 * 1024 * 1024;
const largestImageSide = 8_192;
const maxImagePixels = 4_096 * 4_096;
const backgroundRule = `is a PNG or a JPEG with sides of 2 to ${largestImageSide} and at most ${maxImagePixels} pixels`;
const { least: smallestSide, most: largestWidth } = encoderLimits.side;
const largestHeight = 2_160;
const maxRungs = 5;
const ladderRule = `has up to ${maxRungs} even heights from ${smallestSide} to ${largestHeight}`;
const bitrates = [encoderLimits.bitrateBps.least, encoderLimits.bitrateBps.most] as const;

const usualLayout: ViewLayout = { base: 'fluid', gridSize: 4, custom: [], fitPolicy: 'letterbox' };

/** What every room has when its record names no others. */
export const commonView: ViewSettings = {
  name: 'common',
  video: { width: 1_280, height: 720, framerateHz: 30, codec: 'vp8', keyFrameIntervalS: 100, motionFactor: 0.8 },
  look: {
    layout: usualLayout,
    maxInputs: 16,
    isVoicePrimary: false,
    backgroundColor: '#000000',
    hasLabels: true,
    hasSpeakerBorder: true,
  },
  autoMix: 'all',
  hasAudio: true,
};

/** In the order in which they are tried when the view's own is none of the viewer's, or of the room's. */
const playable = ['h264', 'vp8', 'vp9'] as const;

/** The same ones each time: who asks whether a view is still as it was compares them. */
const commonIn = Object.fromEntries(
  playable.map((codec) => [codec, { ...commonView, video: { ...commonView.video, codec } }]),
) as Readonly<Record<ViewVideo['codec'], ViewSettings>>;

/** As every view is where its room says no more, in a codec that the room gives. */
export function usualView({ mediaOut = usualMedia.mediaOut }: Pick<RoomMedia, 'mediaOut'>): ViewSettings {
  const { format } = mediaOut.video;
  if (format.includes(commonView.video.codec)) return commonView;
  const codec = playable.find((one) => format.includes(one));
  return codec ? commonIn[codec] : commonView;
}

type Change<T> = { readonly [K in keyof T]?: T[K] | null | undefined };

/** What may be changed while it runs; null takes it back to what a view has by itself. */
export interface ViewChange
  extends Change<Omit<ViewLook, 'layout'>>,
    Change<Pick<ViewSettings, 'autoMix' | 'hasAudio' | 'hasVideo'>> {
  readonly video?: Change<ViewVideo> | null | undefined;
  readonly layout?: Change<ViewLayout> | null | undefined;
}

/**
 * @param usual what it has by itself
 * @throws GatewayError `invalid_request` that says what is wrong
 */
export function changeView(settings: ViewSettings, change: ViewChange, usual = commonView): ViewSettings {
  const { layout, video, autoMix, hasAudio, hasVideo, ...look } = change;
  const changed = {
    ...merged({ hasVideo: true, ...settings }, { autoMix, hasAudio, hasVideo }, { ...usual, hasVideo: true }),
    look: {
      ...merged(settings.look, look, usual.look),
      layout: merged(settings.look.layout, layout, usual.look.layout),
    },
    video: merged(settings.video, video, usual.video),
  };
  assertView(changed);
  return changed;
}

function merged<T extends object>(past: T, change: Change<T> | null | undefined, usual: T): T {
  if (change === null) return usual;
  const given = Object.entries(change ?? {}).filter(([, value]) => value !== undefined);
  return { ...past, ...Object.fromEntries(given.map(([key, value]) => [key, value ?? usual[key as keyof T]])) };
}

/** @throws GatewayError `invalid_request` with the field that is wrong */
function assertView(settings: ViewSettings): void {
  const { name, video, look } = settings;
  const { width, height, framerateHz, bitrateBps, keyFrameIntervalS, motionFactor, ladder = [] } = video;
  const { maxInputs, backgroundColor, backgroundImage, transitionMs = 0 } = look;
  const even = (largest: number) => `is an even number from ${smallestSide} to ${largest}`;
  const [wrong] = (
    [
      [viewNamePattern.test(name), 'name', 'has up to 64 letters, digits and ._~-'],
      [isSide(width, largestWidth), 'video.width', even(largestWidth)],
      [isSide(height, largestHeight), 'video.height', even(largestHeight)],
      [framerateHz >= 1 && framerateHz <= 60, 'video.framerateHz', 'is 1 to 60 pictures per second'],
      [bitrateBps === undefined || isIn(bitrateBps, ...bitrates), 'video.bitrateBps', `is ${bitrates.join(' to ')}`],
      [keyFrameIntervalS >= 1 && keyFrameIntervalS <= 3_600, 'video.keyFrameIntervalS', 'is 1 to 3600 seconds'],
      [motionFactor >= 0.1 && motionFactor <= 4, 'video.motionFactor', 'is 0.1 to 4'],
      [ladder.length <= maxRungs && ladder.every((one) => isSide(one, largestHeight)), 'video.ladder', ladderRule],
      [isIn(maxInputs, 1, maxRegions), 'maxInputs', `is 1 to ${maxRegions}`],
      [isIn(transitionMs, 0, 1_000), 'transitionMs', 'is 0 to 1000 milliseconds'],
      [backgroundColorPattern.test(backgroundColor), 'backgroundColor', 'is #rrggbb'],
      [(backgroundImage?.length ?? 0) <= maxImageBytes, 'backgroundImage', 'has at most 2 MiB'],
      [!backgroundImage || isBackground(backgroundImage), 'backgroundImage', backgroundRule],
      [settings.hasAudio || settings.hasVideo !== false, 'hasVideo', 'is true where hasAudio is false'],
    ] as const
  ).filter(([isRight]) => !isRight);
  if (wrong) {
    const [, path, message] = wrong;
    const text = `View "${name.slice(0, 64)}": ${path} ${message}.`;
    throw new GatewayError('invalid_request', text, { fields: [{ path, message }] });
  }
  assertLayout(look.layout);
}

function isIn(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function isSide(value: number, largest: number): boolean {
  return isIn(value, smallestSide, largest) && value % 2 === 0;
}

/** By its header, which is all that is looked at here: a media worker decodes it. */
function isBackground(data: Uint8Array): boolean {
  const { width, height } = imageFacts(data) ?? { width: 0, height: 0 };
  return [width, height].every((side) => isIn(side, 2, largestImageSide)) && width * height <= maxImagePixels;
}

/** What somebody asks of a view's encoder; the view's own where nothing is said. */
export type ViewRequest = Partial<EncoderRequest>;

/** Of what H264 needs. */
export const codecFactors: Readonly<Record<ViewCodec, number>> = { h264: 1, vp8: 1.2, vp9: 0.8, h265: 0.9, av1: 0.7 };

/** @throws GatewayError `invalid_request` for what the view cannot give */
export function encoderRequestFor({ name, video }: ViewSettings, wish: ViewRequest): EncoderRequest {
  const size = sizeFor(video, wish);
  const framerateHz = Math.min(video.framerateHz, wish.framerateHz ?? video.framerateHz);
  const codec = wish.codec ?? video.codec;
  if (!isSide(size.width, largestWidth) || !isSide(size.height, largestHeight) || !(framerateHz >= 1)) {
    throw new GatewayError('invalid_request', `The view "${name}" cannot be had in that size or rate.`);
  }
  const isOwn = size.width === video.width && size.height === video.height && codec === video.codec;
  const full = defaultBitrateBps(size.width, size.height, framerateHz);
  const usual = full * codecFactors[codec] * video.motionFactor;
  return {
    codec,
    profile: wish.profile ?? 'baseline',
    ...size,
    framerateHz,
    bitrateBps: encodableBps(wish.bitrateBps ?? (isOwn ? video.bitrateBps : undefined) ?? usual),
    keyFrameIntervalS: wish.keyFrameIntervalS ?? video.keyFrameIntervalS,
    ...(wish.sliceMaxBytes !== undefined && { sliceMaxBytes: wish.sliceMaxBytes }),
  };
}

/** One side alone brings the other in the shape of the view. */
function sizeFor(video: ViewVideo, { width, height }: ViewRequest): { width: number; height: number } {
  const even = (value: number) => Math.max(smallestSide, Math.round(value / 2) * 2);
  if (width !== undefined && height !== undefined) return { width, height };
  if (width !== undefined) return { width, height: even((width * video.height) / video.width) };
  if (height !== undefined) return { width: even((height * video.width) / video.height), height };
  return { width: video.width, height: video.height };
}

/** @returns what a viewer that takes these codecs gets; undefined where there is none that the room gives, too */
export function codecForViewer(
  { video }: ViewSettings,
  { mediaOut = usualMedia.mediaOut }: RoomMedia,
  takes: (codec: ViewCodec) => boolean,
): ViewVideo['codec'] | undefined {
  return [video.codec, ...playable].find((codec) => mediaOut.video.format.includes(codec) && takes(codec));
}
