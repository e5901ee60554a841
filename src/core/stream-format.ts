// Owns: how a receiver wants a stream to be, and what its room lets it have of that. Pure. May import: core only.
import { defaultBitrateBps } from './default-bitrate.ts';
import { GatewayError } from './errors.ts';
import { type PictureSize, type RoomMedia, shareOf, sizeOf, usualMedia } from './room-media.ts';
import { type EncoderRequest, encodableBps, encoderLimits, type ViewCodec } from './view-messages.ts';
import { codecFactors, type ViewSettings } from './view-settings.ts';

export const formatCodecs = ['vp8', 'h264', 'vp9'] as const;
export type FormatCodec = (typeof formatCodecs)[number];

/** As the source has it where nothing is said. */
export interface StreamFormat {
  readonly codec?: FormatCodec | undefined;
  /** `x3/4` of the source, `r640x360`, or a name: `vga`. */
  readonly resolution?: string | undefined;
  /** Pictures per second, at most; those of the source when it has fewer. */
  readonly framerate?: number | undefined;
  /** `x0.8` of what is usual for its size, or bit/s. */
  readonly bitrate?: string | number | undefined;
  /** Seconds. */
  readonly keyFrameInterval?: number | undefined;
}

export interface SourceFacts extends PictureSize {
  /** Lower case. */
  readonly codec: string;
  /** Of a view: no more can be had, and as many where nothing is said. */
  readonly framerateHz?: number | undefined;
  /** Of a view, where nothing is said. */
  readonly keyFrameIntervalS?: number | undefined;
  /** Of what is usual for its size, 1 when absent: a view may spend more or less. */
  readonly bitrateFactor?: number | undefined;
}

/** Parts of a view are parts of what it is itself, in bitrate as well. */
export function factsOfView({ video }: ViewSettings): SourceFacts {
  const { width, height, framerateHz, codec, bitrateBps, keyFrameIntervalS, motionFactor } = video;
  const usual = defaultBitrateBps(width, height, framerateHz) * codecFactors[codec];
  const bitrateFactor = bitrateBps === undefined ? motionFactor : bitrateBps / usual;
  return { width, height, codec, framerateHz, keyFrameIntervalS, bitrateFactor };
}

const usualFramerateHz = 30;
const usualKeyFrameIntervalS = 100;
const bitrates = { least: 10_000, most: 50_000_000 } as const;

/**
 * @throws GatewayError `invalid_request` with the field and what may be asked for, `forbidden` for what the room does not
 * let anybody ask
 */
export function requestForFormat(format: StreamFormat, given: SourceFacts, media: RoomMedia): EncoderRequest {
  const source = encodable(given);
  const { mediaOut = usualMedia.mediaOut, transcoding = usualMedia.transcoding } = media;
  const { format: codecs, parameters } = mediaOut.video;
  const may = transcoding.video;
  const codec = codecFor(format.codec, source, codecs, may.format);
  const size = sizeFor(format.resolution, source, parameters.resolution, may.parameters.resolution);
  const { framerate, keyFrameInterval } = format;
  if (framerate !== undefined) {
    assertMay('framerate', may.parameters.framerate);
    if (!(framerate >= 1 && framerate <= 60)) refuse('framerate', 'is 1 to 60 pictures per second');
    assertListed('framerate', framerate, parameters.framerate);
  }
  if (keyFrameInterval !== undefined) {
    assertMay('keyFrameInterval', may.parameters.keyFrameInterval);
    if (!(keyFrameInterval >= 1 && keyFrameInterval <= 3_600)) refuse('keyFrameInterval', 'is 1 to 3600 seconds');
    assertListed('keyFrameInterval', keyFrameInterval, parameters.keyFrameInterval);
  }
  const ownHz = source.framerateHz ?? usualFramerateHz;
  const framerateHz = source.framerateHz === undefined ? (framerate ?? ownHz) : Math.min(ownHz, framerate ?? ownHz);
  const usual =
    defaultBitrateBps(size.width, size.height, framerateHz) * codecFactors[codec] * (source.bitrateFactor ?? 1);
  if (format.bitrate !== undefined) assertMay('bitrate', may.parameters.bitrate);
  return {
    ...{ codec, profile: 'baseline', ...size, framerateHz },
    bitrateBps: encodableBps(bitrateFor(format.bitrate, usual, parameters.bitrate)),
    keyFrameIntervalS: keyFrameInterval ?? source.keyFrameIntervalS ?? usualKeyFrameIntervalS,
  };
}

/** A screen may be wider than any picture that is encoded: then it is as if it were as large as that. */
function encodable(source: SourceFacts): SourceFacts {
  const share = encoderLimits.side.most / Math.max(source.width, source.height);
  if (share >= 1) return source;
  return { ...source, width: Math.round(source.width * share), height: Math.round(source.height * share) };
}

function codecFor(
  wanted: FormatCodec | undefined,
  source: SourceFacts,
  allowed: readonly ViewCodec[],
  mayChange: boolean,
): FormatCodec {
  const own = formatCodecs.find((codec) => codec === source.codec);
  if (wanted !== undefined && wanted !== own) assertMay('codec', mayChange);
  const codec = wanted ?? own ?? formatCodecs.find((one) => allowed.includes(one));
  if (codec === undefined || !allowed.includes(codec)) {
    refuse('codec', `is one of ${allowed.join(', ') || 'none'} in this room`);
  }
  return codec;
}

function sizeFor(
  resolution: string | undefined,
  source: PictureSize,
  allowed: readonly string[] | undefined,
  mayChange: boolean,
): PictureSize {
  const whole = sizeOf('x1/1', source) ?? source;
  if (resolution === undefined) return whole;
  const size = sizeOf(resolution, source);
  const { width, height } = source;
  if (!size) return refuse('resolution', `is a part (x3/4), a size (r640x360) or a name, at most ${width}x${height}`);
  const isSame = (other: PictureSize | undefined) => other?.width === size.width && other.height === size.height;
  if (isSame(whole)) return size;
  assertMay('resolution', mayChange);
  if (allowed && !allowed.some((one) => isSame(sizeOf(one, source)))) {
    refuse('resolution', `is one of ${allowed.join(', ')} in this room`);
  }
  return size;
}

function bitrateFor(wanted: StreamFormat['bitrate'], usual: number, allowed: readonly string[] | undefined): number {
  if (wanted === undefined) return usual;
  const isListed = (bps: number) => !allowed || allowed.some((one) => (shareOf(one) ?? 0) * usual >= bps);
  const bps = typeof wanted === 'number' ? wanted : (shareOf(wanted) ?? 0) * usual;
  if (!(bps >= bitrates.least && bps <= bitrates.most)) {
    refuse(
      'bitrate',
      `is a part of the usual ${Math.round(usual)} bit/s (x0.8) or ${bitrates.least} to ${bitrates.most}`,
    );
  }
  if (typeof wanted === 'string' ? allowed?.includes(wanted) === false : !isListed(bps)) {
    refuse('bitrate', `is one of ${allowed?.join(', ')} in this room`);
  }
  return bps;
}

function assertMay(field: string, may: boolean): void {
  if (may) return;
  throw new GatewayError('forbidden', `This room lets nobody ask for another ${field}: transcoding of it is off.`, {
    fields: [{ path: `format.${field}`, message: 'cannot be asked for here' }],
  });
}

function assertListed(field: string, value: number, allowed: readonly number[] | undefined): void {
  if (allowed && !allowed.includes(value)) refuse(field, `is one of ${allowed.join(', ')} in this room`);
}

function refuse(field: string, message: string): never {
  const path = `format.${field}`;
  throw new GatewayError('invalid_request', `${path} ${message}.`, { fields: [{ path, message }] });
}
