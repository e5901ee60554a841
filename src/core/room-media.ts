// Owns: which codecs a room takes and gives, and what of a stream may be made otherwise for who asks. Pure.
// May import: core only.
import { type FieldError, GatewayError } from './errors.ts';
import { type ViewCodec, viewCodecs } from './view-messages.ts';

export const roomAudioCodecs = ['opus', 'pcmu', 'pcma', 'g722'] as const;
/** Phones are sent the first four; recordings, streams out and players AAC or Opus. */
export const givenAudioCodecs = [...roomAudioCodecs, 'aac'] as const;
export const roomVideoCodecs = ['vp8', 'vp9', 'h264', 'av1'] as const;
export type RoomAudioCodec = (typeof roomAudioCodecs)[number];
export type GivenAudioCodec = (typeof givenAudioCodecs)[number];
export type RoomVideoCodec = (typeof roomVideoCodecs)[number];

/** What may be published. */
export interface MediaIn {
  readonly audio: readonly RoomAudioCodec[];
  readonly video: readonly RoomVideoCodec[];
}

/** What may be made; a list that is absent allows anything up to the source's own. */
export interface MediaOut {
  /** Absent: all. */
  readonly audio?: readonly GivenAudioCodec[] | undefined;
  readonly video: {
    readonly format: readonly ViewCodec[];
    readonly parameters: {
      /** `x3/4` of the source, `r640x360`, or a name: `hd720p`. */
      readonly resolution?: readonly string[] | undefined;
      /** Pictures per second. */
      readonly framerate?: readonly number[] | undefined;
      /** `x0.8` of the usual bitrate. */
      readonly bitrate?: readonly string[] | undefined;
      /** Seconds. */
      readonly keyFrameInterval?: readonly number[] | undefined;
    };
  };
}

/** What a receiver may ask to be another than its source's. */
export interface Transcoding {
  /** false: sound leaves the room as Opus, in which it is published, or not at all. */
  readonly audio?: boolean | undefined;
  readonly video: {
    readonly format: boolean;
    readonly parameters: {
      readonly resolution: boolean;
      readonly framerate: boolean;
      readonly bitrate: boolean;
      readonly keyFrameInterval: boolean;
    };
  };
}

export interface RoomMedia {
  readonly mediaIn?: MediaIn | undefined;
  readonly mediaOut?: MediaOut | undefined;
  readonly transcoding?: Transcoding | undefined;
  /** Receivers get the loudest three microphones, not all. */
  readonly selectActiveAudio?: boolean | undefined;
}

export const usualMedia: Required<{ [K in keyof RoomMedia]: NonNullable<RoomMedia[K]> }> = {
  mediaIn: { audio: roomAudioCodecs, video: roomVideoCodecs },
  mediaOut: { audio: givenAudioCodecs, video: { format: viewCodecs, parameters: {} } },
  transcoding: {
    audio: true,
    video: { format: true, parameters: { resolution: true, framerate: true, bitrate: true, keyFrameInterval: true } },
  },
  selectActiveAudio: false,
};

const namedSizes: Readonly<Record<string, readonly [width: number, height: number]>> = {
  qcif: [176, 144],
  qvga: [320, 240],
  cif: [352, 288],
  hvga: [480, 320],
  vga: [640, 480],
  svga: [800, 600],
  xga: [1_024, 768],
  hd720p: [1_280, 720],
  hd1080p: [1_920, 1_080],
  uhd_4k: [3_840, 2_160],
};

export const resolutionPattern = /^(?:x\d{1,4}\/\d{1,4}|r\d{2,4}x\d{2,4}|[a-z]{3,4}\d{0,4}p?|uhd_4k)$/;
export const multiplierPattern = /^x(?:0|1)(?:\.\d{1,3})?$/;
const smallestSide = 16;

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** @returns even sides; undefined for what is no resolution, or more than the source has */
export function sizeOf(resolution: string, source: PictureSize): PictureSize | undefined {
  const [, above, below] = /^x(\d{1,4})\/(\d{1,4})$/.exec(resolution) ?? [];
  if (above !== undefined && below !== undefined) {
    const share = Number(above) / Number(below);
    if (!(share > 0 && share <= 1)) return undefined;
    return { width: evenSide(source.width * share), height: evenSide(source.height * share) };
  }
  const [, wide, high] = /^r(\d{2,4})x(\d{2,4})$/.exec(resolution) ?? [];
  const [width, height] = wide === undefined ? (namedSizes[resolution] ?? [0, 0]) : [Number(wide), Number(high)];
  if (width < smallestSide || height < smallestSide) return undefined;
  if (width * height > source.width * source.height) return undefined;
  return { width: evenSide(width), height: evenSide(height) };
}

function evenSide(pixels: number): number {
  return Math.max(smallestSide, Math.round(pixels / 2) * 2);
}

/** @returns 0..1; undefined for what is no multiplier */
export function shareOf(multiplier: string): number | undefined {
  const share = multiplierPattern.test(multiplier) ? Number(multiplier.slice(1)) : 0;
  return share > 0 && share <= 1 ? share : undefined;
}

/** @throws GatewayError `invalid_request` with the field that is wrong */
export function assertRoomMedia({ mediaOut }: RoomMedia): void {
  const { resolution = [], bitrate = [] } = mediaOut?.video.parameters ?? {};
  const huge = { width: 7_680, height: 4_320 };
  const fields: FieldError[] = [
    ...resolution.flatMap((text, index) =>
      sizeOf(text, huge)
        ? []
        : [
            {
              path: `mediaOut.video.parameters.resolution.${index}`,
              message: `"${text.slice(0, 16)}" is neither a part (x3/4), a size (r640x360) nor one of ${Object.keys(namedSizes).join(', ')}`,
            },
          ],
    ),
    ...bitrate.flatMap((text, index) =>
      shareOf(text) !== undefined
        ? []
        : [
            {
              path: `mediaOut.video.parameters.bitrate.${index}`,
              message: `"${text.slice(0, 16)}" is no part of the usual bitrate, as x0.8 is`,
            },
          ],
    ),
  ];
  const [first] = fields;
  if (first) throw new GatewayError('invalid_request', `${first.path}: ${first.message}.`, { fields });
}

/** Codecs in which the sound of the room may leave it. */
function audioGiven({ mediaOut, transcoding }: RoomMedia): readonly GivenAudioCodec[] {
  const given = mediaOut?.audio ?? givenAudioCodecs;
  return transcoding?.audio === false ? given.filter((codec) => codec === 'opus') : given;
}

/** @throws GatewayError `no_common_codec` for a codec in which this room gives no sound */
export function assertGivesAudio(media: RoomMedia, codec: GivenAudioCodec): void {
  const given = audioGiven(media);
  if (given.includes(codec)) return;
  throw new GatewayError(
    'no_common_codec',
    `This room gives no ${codec}; by its mediaOut and transcoding its sound is ${given.join(', ') || 'not given'}.`,
  );
}

/**
 * Of a phone's codecs those that the room both takes and gives: a phone speaks and hears in one.
 * @throws GatewayError `no_common_codec` when there is none
 */
export function phoneCodecsIn<T extends RoomAudioCodec>(media: RoomMedia, codecs: readonly T[]): readonly T[] {
  const taken: readonly string[] = (media.mediaIn ?? usualMedia.mediaIn).audio;
  const given: readonly string[] = audioGiven(media);
  const common = codecs.filter((codec) => taken.includes(codec) && given.includes(codec));
  if (common.length > 0) return common;
  throw new GatewayError(
    'no_common_codec',
    `Of ${codecs.join(', ')} this room takes (mediaIn) and gives (mediaOut, transcoding) none.`,
  );
}

/** @throws GatewayError `no_common_codec` for a codec that this room does not take */
export function assertMayPublish(
  { mediaIn = usualMedia.mediaIn }: RoomMedia,
  kind: 'audio' | 'video',
  codecs: readonly { readonly mimeType: string }[],
): void {
  const allowed: readonly string[] = mediaIn[kind];
  const mimeType = codecs[0]?.mimeType ?? '';
  if (allowed.includes(mimeType.replace(/^.*\//, '').toLowerCase())) return;
  throw new GatewayError(
    'no_common_codec',
    `This room takes no ${mimeType.slice(0, 32)}; its mediaIn.${kind} is ${allowed.join(', ') || 'empty'}.`,
  );
}
