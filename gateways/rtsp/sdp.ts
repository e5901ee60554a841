// Owns: session descriptions as RTSP servers and pushers send them <-> streams of core. Pure.
// May import: core, sdp-transform (its parser only: it reads lines, and this file reads what they mean).
import { parse } from 'sdp-transform';
import { GatewayError } from '#core/errors.ts';
import type { AudioCodec, RtpFormat, SourceStream, VideoCodec } from '#core/media-source.ts';
import type { MediaKind } from '#core/rtp.ts';

/** One m-line whose codec we know. */
export interface RtspTrack {
  /** What to SETUP: absolute, or `*`-like relative to nothing when the server says nothing. */
  readonly control: string;
  readonly stream: SourceStream & { readonly rtp: RtpFormat };
  /** The other side answers picture loss indications (RFC 4585 §4.2). */
  readonly takesPli: boolean;
}

const codecByName: Readonly<Record<string, readonly [MediaKind, VideoCodec | AudioCodec]>> = {
  h264: ['video', 'h264'],
  h265: ['video', 'h265'],
  hevc: ['video', 'h265'],
  vp8: ['video', 'vp8'],
  vp9: ['video', 'vp9'],
  av1: ['video', 'av1'],
  'mp4v-es': ['video', 'mpeg4'],
  jpeg: ['video', 'mjpeg'],
  'h263-1998': ['video', 'h263'],
  'h263-2000': ['video', 'h263'],
  'mpeg4-generic': ['audio', 'aac'],
  'mp4a-latm': ['audio', 'aac'],
  opus: ['audio', 'opus'],
  pcmu: ['audio', 'pcmu'],
  pcma: ['audio', 'pcma'],
  g722: ['audio', 'g722'],
  'g726-16': ['audio', 'g726'],
  'g726-24': ['audio', 'g726'],
  'g726-32': ['audio', 'g726'],
  'g726-40': ['audio', 'g726'],
  'aal2-g726-32': ['audio', 'g726'],
  l16: ['audio', 'l16'],
  mpa: ['audio', 'mp3'],
  ac3: ['audio', 'ac3'],
  eac3: ['audio', 'eac3'],
  speex: ['audio', 'speex'],
};

/** RFC 3551 §6: payload types that need no rtpmap. */
const staticFormats: Readonly<Record<number, readonly [name: string, clockRateHz: number, channels: number]>> = {
  0: ['PCMU', 8_000, 1],
  8: ['PCMA', 8_000, 1],
  9: ['G722', 8_000, 1],
  10: ['L16', 44_100, 2],
  11: ['L16', 44_100, 1],
  14: ['MPA', 90_000, 1],
  26: ['JPEG', 90_000, 1],
};

const maxTracks = 16;

/**
 * @param baseUri Content-Base, Content-Location or the request's URI, in this order (RFC 2326 §C.1.1)
 * @returns tracks in the order of their m-lines, which is also their id; m-lines of other codecs are left out
 * @throws GatewayError `invalid_sdp` when it is no description
 */
export function parseTracks(sdp: string, baseUri: string): RtspTrack[] {
  const description = parseDescription(sdp);
  const sessionControl = (description as { control?: string }).control;
  const aggregate = resolveControl(sessionControl, baseUri);
  return description.media.slice(0, maxTracks).flatMap((media, id): RtspTrack[] => {
    const payloadType = Number.parseInt(String(media.payloads ?? '').split(' ')[0] ?? '', 10);
    const rtp = formatOf(media, payloadType);
    const [kind, codec] = codecByName[rtp?.encodingName.toLowerCase() ?? ''] ?? [];
    if (!rtp || !kind || !codec || !/RTP\/S?AVPF?/i.test(media.protocol ?? '')) return [];
    const stream = {
      id,
      kind,
      codec,
      framing: { kind: 'rtp' } as const,
      config: configOf(codec, rtp),
      ...(kind === 'audio' && { sampleRateHz: sampleRateOf(codec, rtp), channels: rtp.channels }),
      rtp,
    };
    const control = resolveControl((media as { control?: string }).control, aggregate);
    const takesPli = media.rtcpFb?.some(({ type, subtype }) => type === 'nack' && subtype === 'pli') ?? false;
    return [{ control, stream, takesPli }];
  });
}

/** What PLAY, RECORD and TEARDOWN are sent to. */
export function aggregateControl(sdp: string, baseUri: string): string {
  return resolveControl((parseDescription(sdp) as { control?: string }).control, baseUri);
}

type Description = ReturnType<typeof parse>;
type Media = Description['media'][number];

function parseDescription(sdp: string): Description {
  try {
    const description = parse(sdp);
    if (Array.isArray(description.media)) return description;
  } catch (cause) {
    throw new GatewayError('invalid_sdp', 'The session description cannot be read.', { cause });
  }
  throw new GatewayError('invalid_sdp', 'The session description has no media.');
}

function formatOf(media: Media, payloadType: number): RtpFormat | undefined {
  if (!Number.isInteger(payloadType) || payloadType < 0 || payloadType > 127) return undefined;
  const map = media.rtp?.find((one) => one.payload === payloadType);
  const [name, clockRateHz, channels] = map
    ? [map.codec, Number(map.rate), Number(map.encoding ?? 1)]
    : (staticFormats[payloadType] ?? []);
  if (!name || !(Number(clockRateHz) > 0)) return undefined;
  const config = media.fmtp?.find((one) => one.payload === payloadType)?.config ?? '';
  return {
    payloadType,
    encodingName: name.slice(0, 32),
    clockRateHz: Number(clockRateHz),
    channels: channels !== undefined && channels > 0 && channels <= 8 ? channels : 1,
    formatParameters: parseFormatParameters(config),
  };
}

/** Kept as text: a configuration of `0012` is no number, and base64 holds equal signs. */
function parseFormatParameters(config: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  for (const part of String(config).split(';').slice(0, 64)) {
    const at = part.indexOf('=');
    const name = (at < 0 ? part : part.slice(0, at)).trim().toLowerCase();
    if (name !== '') parameters[name] = at < 0 ? '' : part.slice(at + 1).trim();
  }
  return parameters;
}

/** `config` of AAC (RFC 3640 §4.1) and MPEG-4 video (RFC 6416 §7.1); H264 and H265 keep theirs in sprop fields. */
function configOf(codec: string, { encodingName, formatParameters }: RtpFormat): Buffer | undefined {
  const { config } = formatParameters;
  const hasOne = codec === 'mpeg4' || encodingName.toLowerCase() === 'mpeg4-generic';
  if (!hasOne || config === undefined || !/^([0-9a-f]{2}){1,512}$/i.test(config)) return undefined;
  return Buffer.from(config, 'hex');
}

/** G.722 has the clock rate of 8000 by an error that nobody can mend (RFC 3551 §4.5.2). */
function sampleRateOf(codec: string, { clockRateHz }: RtpFormat): number {
  return codec === 'g722' ? 16_000 : clockRateHz;
}

/** RFC 2326 §C.1.1, as cameras understand it: what is relative goes behind the base, with one slash between. */
export function resolveControl(control: string | undefined, base: string): string {
  if (control === undefined || control === '' || control === '*') return base;
  if (/^rtsps?:\/\//i.test(control)) return control;
  return `${base.replace(/\/$/, '')}/${control.replace(/^\//, '')}`;
}

export interface DescribeOptions {
  /** Shown by some players. */
  readonly name: string;
  readonly tracks: readonly { readonly kind: MediaKind; readonly rtp: RtpFormat }[];
  /** Of the address in `o=`; 4 unless the connection is over IPv6. */
  readonly ipVersion: 4 | 6;
  readonly sessionId: number;
}

/** A description with one m-line a track, controlled as `trackID=0`, `trackID=1` … */
export function buildDescription({ name, tracks, ipVersion, sessionId }: DescribeOptions): string {
  const any = ipVersion === 6 ? '::' : '0.0.0.0';
  const lines = [
    'v=0',
    `o=- ${sessionId} 1 IN IP${ipVersion} ${any}`,
    `s=${name.replace(/[\r\n]/g, ' ') || '-'}`,
    `c=IN IP${ipVersion} ${any}`,
    't=0 0',
    'a=control:*',
    'a=range:npt=now-',
  ];
  tracks.forEach(({ kind, rtp }, i) => {
    const { payloadType, encodingName, clockRateHz, channels, formatParameters } = rtp;
    lines.push(`m=${kind} 0 RTP/AVP ${payloadType}`);
    lines.push(`a=rtpmap:${payloadType} ${encodingName}/${clockRateHz}${channels > 1 ? `/${channels}` : ''}`);
    const parameters = Object.entries(formatParameters).map(([key, value]) => (value === '' ? key : `${key}=${value}`));
    if (parameters.length > 0) lines.push(`a=fmtp:${payloadType} ${parameters.join('; ')}`);
    lines.push(`a=control:trackID=${i}`);
  });
  return `${lines.join('\r\n')}\r\n`;
}
