// Owns: what an address of a player means: a view, somebody, one stream, or the sound of everybody; and how it is to come.
// May import: core.
import type { EgressSource } from '#core/egress-source.ts';
import { GatewayError } from '#core/errors.ts';
import type { RtpFormat } from '#core/media-source.ts';
import type { Room, RoomRecord } from '#core/room.ts';
import type { MediaKind, RtpCapabilities } from '#core/rtp.ts';
import { aacFormat, opusFormat } from '#core/rtp-formats.ts';
import type { ViewPort } from '#core/view-port.ts';

export interface PlayAddress {
  /** Name or id. */
  readonly room: string;
  readonly target: { readonly kind: 'view'; readonly view: string } | { readonly kind: 'named'; readonly name: string };
}

/** `{room}`, `{room}/views/{view}`, `{room}/{stream or participant or user}`, `{room}/mix`. @throws GatewayError `not_found` */
export function parsePlayPath(path: string): PlayAddress {
  const [room = '', first, second, ...rest] = path.split('/');
  if (room === '' || rest.length > 0 || (second !== undefined && first !== 'views')) {
    throw new GatewayError('not_found', 'The address is /{room}, /{room}/views/{view} or /{room}/{stream}.');
  }
  if (first === undefined) return { room, target: { kind: 'view', view: 'common' } };
  if (second !== undefined) return { room, target: { kind: 'view', view: second } };
  return { room, target: { kind: 'named', name: first } };
}

export interface PlayFormat {
  readonly audio: 'opus' | 'aac' | 'off';
  readonly hasVideo: boolean;
}

/** @throws GatewayError `invalid_request` */
export function playFormatOf(query: URLSearchParams): PlayFormat {
  const audio = query.get('audio') ?? 'opus';
  const video = query.get('video') ?? 'on';
  if (audio !== 'opus' && audio !== 'aac' && audio !== 'off') {
    throw new GatewayError('invalid_request', 'audio is opus, aac or off.');
  }
  if (video !== 'on' && video !== 'off') throw new GatewayError('invalid_request', 'video is on or off.');
  return { audio, hasVideo: video === 'on' };
}

export interface PlaySource {
  readonly source: EgressSource;
  readonly kinds: readonly MediaKind[];
}

/** @throws GatewayError `not_found` for what is not there now */
export function playSourceOf(
  room: Room,
  views: Pick<ViewPort, 'settingsOf'>,
  target: PlayAddress['target'],
  format: PlayFormat,
): PlaySource {
  const { source, kinds } =
    target.kind === 'view' ? viewSource(room.record, views, target.view) : namedSource(room, target.name);
  const wanted = kinds.filter((kind) => (kind === 'audio' ? format.audio !== 'off' : format.hasVideo));
  if (wanted.length === 0) throw new GatewayError('not_found', 'There is neither sound nor picture at this address.');
  return { source, kinds: wanted };
}

function viewSource(record: RoomRecord, views: Pick<ViewPort, 'settingsOf'>, name: string): PlaySource {
  const settings = views.settingsOf(record).find((view) => view.name === name);
  if (!settings) throw new GatewayError('not_found', `This room has no view "${name.slice(0, 64)}".`);
  const kinds: MediaKind[] = settings.hasVideo === false ? [] : ['video'];
  if (settings.hasAudio) kinds.push('audio');
  return { source: { kind: 'view', view: name }, kinds };
}

function namedSource(room: Room, name: string): PlaySource {
  const shown = [...room.publications()].filter(({ participant }) => !participant.isHidden);
  const stream = shown.find(({ id }) => id === name);
  if (stream) return { source: { kind: 'stream', stream: name }, kinds: [stream.kind] };
  const theirs = shown.filter(({ participant: { id, user } }) => id === name || user === name);
  const kinds = (['video', 'audio'] as const).filter((kind) => theirs.some((one) => one.kind === kind));
  if (kinds.length > 0) return { source: { kind: 'participant', participant: name }, kinds };
  if (name === 'mix') return { source: { kind: 'mix' }, kinds: ['audio'] };
  throw new GatewayError('not_found', `Nobody in this room sends anything as "${name.slice(0, 64)}".`);
}

/** AudioSpecificConfig of 48 kHz stereo, low complexity. */
const aacConfig = Uint8Array.of(0x11, 0x90);

/** In the room's own numbers, so that the SFU can send what is described. */
export function playFormats(
  { codecs = [] }: RtpCapabilities,
  audio: PlayFormat['audio'],
): Readonly<Record<MediaKind, RtpFormat>> {
  const typeOf = (mimeType: string, parameters: Record<string, unknown> = {}) =>
    codecs.find(
      (codec) =>
        codec.mimeType.toLowerCase() === mimeType &&
        Object.entries(parameters).every(([key, value]) => codec.parameters?.[key] === value),
    )?.preferredPayloadType;
  const h264 = typeOf('video/h264', { 'packetization-mode': 1, 'profile-level-id': '42e01f' });
  const opus = typeOf('audio/opus');
  if (h264 === undefined || opus === undefined) throw new GatewayError('no_common_codec', 'The room has no H264.');
  return {
    video: {
      ...{ payloadType: h264, encodingName: 'H264', clockRateHz: 90_000, channels: 1 },
      formatParameters: { 'packetization-mode': '1', 'profile-level-id': '42e01f' },
    },
    audio: audio === 'aac' ? aacFormat(h264 === 97 ? 98 : 97, aacConfig) : opusFormat(opus),
  };
}
