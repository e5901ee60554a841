// Owns: m-lines of a peer <-> what the room's media side speaks: RTP parameters in, payload type layouts out. Pure.
// May import: core and its siblings here.
import { GatewayError } from '#core/errors.ts';
import type { PayloadTypeLayout } from '#core/ports.ts';
import type {
  DtlsParameters,
  MediaKind,
  RtpCapabilities,
  RtpCodecCapability,
  RtpEncodingParameters,
  RtpHeaderExtensionParameters,
  RtpParameters,
} from '#core/rtp.ts';
import { type CodecMatch, chooseReceived, chooseSent, receivedCodecs } from './codecs.ts';
import { extensionUris, hasUri, receivedExtensions } from './extensions.ts';
import type { DtlsSetup, SdpDescription, SdpRid, SdpSection } from './sdp-parse.ts';

/** An m-line on which the peer sends a stream that the room can take. */
export interface ReceivedTrack {
  readonly section: SdpSection;
  readonly kind: MediaKind;
  readonly match: CodecMatch;
  readonly rtpParameters: RtpParameters;
}

const rtpProtocols = new Set(['UDP/TLS/RTP/SAVPF', 'TCP/TLS/RTP/SAVPF', 'UDP/TLS/RTP/SAVP', 'RTP/SAVPF']);

export const isMedia = (section: SdpSection): section is SdpSection & { readonly kind: MediaKind } =>
  section.kind === 'audio' || section.kind === 'video';

export const sends = ({ direction }: SdpSection): boolean => direction === 'sendrecv' || direction === 'sendonly';
export const receives = ({ direction }: SdpSection): boolean => direction === 'sendrecv' || direction === 'recvonly';

/** @returns what is wrong with the m-line, whichever way its media is to go; undefined when it can be used */
export function refusalOf(section: SdpSection): GatewayError | undefined {
  const where = `m-line ${section.index} (${section.kind.slice(0, 32)})`;
  if (section.kind === 'application') {
    return new GatewayError('unprocessable', `${where}: data channels are not offered here.`);
  }
  if (!isMedia(section)) return new GatewayError('unprocessable', `${where} is neither audio nor video.`);
  if (!rtpProtocols.has(section.protocol)) {
    return new GatewayError('unprocessable', `${where} is not RTP over DTLS (UDP/TLS/RTP/SAVPF).`);
  }
  if (!section.isBundled) {
    return new GatewayError(
      'unprocessable',
      `${where} is not in a=group:BUNDLE: all media goes over one transport (bundlePolicy "max-bundle").`,
    );
  }
  if (!section.hasRtcpMux) return new GatewayError('unprocessable', `${where} has no a=rtcp-mux.`);
  return undefined;
}

/** What has to be known of a whole connection to read one m-line of it. */
export interface ReceiveContext {
  /** User of the SDP's o-line, which tells OBS from others. */
  readonly originUser: string;
  /** Whether we send on the same connection too (extensions.ts). */
  readonly isTwoWay: boolean;
}

/**
 * @param room the room's capabilities
 * @throws GatewayError `no_common_codec`, `unprocessable`
 */
export function readReceivedTrack(
  section: SdpSection,
  room: RtpCapabilities,
  { originUser, isTwoWay }: ReceiveContext,
): ReceivedTrack {
  const refusal = refusalOf(section);
  if (refusal || !isMedia(section)) throw refusal ?? new GatewayError('unprocessable', 'Not an m-line of media.');
  const match = chooseReceived(section, room.codecs ?? []);
  if (!match) throw noCommonCodec(section, room.codecs ?? []);
  const headerExtensions = receivedExtensions(section, room, isTwoWay);
  const encodings = readEncodings(section, headerExtensions, originUser);
  // The SFU would look for the mid in packets that have none, and give one m-line's rids to another of the same names.
  const isKnownByRid = encodings.some(({ rid }) => rid !== undefined) && !hasUri(headerExtensions, extensionUris.mid);
  return {
    section,
    kind: section.kind,
    match,
    rtpParameters: {
      mid: isKnownByRid ? undefined : section.mid,
      codecs: receivedCodecs(match, section.kind),
      headerExtensions,
      encodings,
      rtcp: { cname: section.cname, reducedSize: section.hasReducedRtcp },
    },
  };
}

export function noCommonCodec(section: SdpSection, roomCodecs: readonly RtpCodecCapability[]): GatewayError {
  const offered = [...new Set(section.codecs.map(({ name }) => name))].slice(0, 12).join(', ') || 'none';
  const ours = roomCodecs.filter(({ kind, mimeType }) => kind === section.kind && !mimeType.endsWith('/rtx'));
  const names = [...new Set(ours.map(({ mimeType }) => mimeType.slice(mimeType.indexOf('/') + 1)))].join(', ');
  return new GatewayError(
    'no_common_codec',
    `m-line ${section.index} (${section.kind}) has no codec of this room: it has ${offered}; the room takes ${names}.`,
  );
}

/** In the SFU's order: lowest simulcast stream first. */
function readEncodings(
  section: SdpSection,
  extensions: readonly RtpHeaderExtensionParameters[],
  originUser: string,
): RtpEncodingParameters[] {
  if (section.sendRids.length > 1 && hasUri(extensions, extensionUris.rid)) {
    // A stream that has fewer temporal layers than are announced plays whole; one that has more would lose the rest.
    return orderRids(section.sendRids, originUser).map(({ id }) => ({ rid: id, scalabilityMode: 'L1T3' }));
  }
  const rtxOf = new Map(
    section.ssrcGroups.filter(({ semantics }) => semantics === 'FID').map(({ ssrcs: [main, rtx] }) => [main, rtx]),
  );
  const encoding = (ssrc: number): RtpEncodingParameters => {
    const rtx = rtxOf.get(ssrc);
    return rtx === undefined ? { ssrc } : { ssrc, rtx: { ssrc: rtx } };
  };
  // Simulcast by SSRC, as SDP munging makes it: lowest first by convention.
  const simulcast = section.ssrcGroups.find(({ semantics }) => semantics === 'SIM');
  if (section.kind === 'video' && simulcast && simulcast.ssrcs.length > 1) {
    return simulcast.ssrcs.slice(0, 4).map((ssrc) => ({ ...encoding(ssrc), scalabilityMode: 'L1T3' }));
  }
  const retransmissions = new Set(rtxOf.values());
  const ssrc = section.ssrcs.find((candidate) => !retransmissions.has(candidate));
  if (ssrc !== undefined) return [encoding(ssrc)];
  if (!hasUri(extensions, extensionUris.mid)) {
    throw new GatewayError(
      'unprocessable',
      `m-line ${section.index}: its packets cannot be told apart; offer a=ssrc or the header extension ${extensionUris.mid}.`,
    );
  }
  return [{}];
}

const risingNames = [
  ['q', 'h', 'f'],
  ['l', 'm', 'h'],
  ['low', 'mid', 'high'],
  ['low', 'medium', 'high'],
];

/**
 * Which simulcast stream is the smaller is nowhere said for certain: RFC 8853 §5.2 has the preferred first, browsers
 * write the order of `sendEncodings`, which most applications fill from low to high. So, in this order: what the
 * restrictions say, well-known names, libdatachannel's (OBS numbers from the full size down), the order given.
 * @returns smallest first
 */
export function orderRids(rids: readonly SdpRid[], originUser: string): readonly SdpRid[] {
  const pixels = rids.map(({ restrictions }) => Number(restrictions['max-width']) * Number(restrictions['max-height']));
  if (pixels.every((count) => count > 0)) {
    return rids.toSorted((a, b) => (pixels[rids.indexOf(a)] ?? 0) - (pixels[rids.indexOf(b)] ?? 0));
  }
  const names = risingNames.find((order) => rids.every(({ id }) => order.includes(id)));
  if (names) return rids.toSorted((a, b) => names.indexOf(a.id) - names.indexOf(b.id));
  if (originUser === 'rtc' && rids.every(({ id }) => /^\d+$/.test(id))) {
    return rids.toSorted((a, b) => Number(b.id) - Number(a.id));
  }
  return rids;
}

/**
 * How the peer numbers the codecs that it can receive.
 * @param missing `invent` gives kinds that it has not offered numbers that it does not use: in an offer of ours they are
 * ours to choose, but within a BUNDLE each may mean one thing only (RFC 8843 §9.1)
 */
export function readLayout(
  description: SdpDescription,
  room: RtpCapabilities,
  missing: 'leave' | 'invent',
): PayloadTypeLayout {
  const roomCodecs = room.codecs ?? [];
  const taken = new Set(description.sections.flatMap(({ codecs }) => codecs.map(({ payloadType }) => payloadType)));
  const codecs = (['audio', 'video'] as const).flatMap((kind) => {
    const section = description.sections.find((candidate) => candidate.kind === kind && !candidate.isRejected);
    if (section) {
      return chooseSent(section, roomCodecs).map(({ codec, roomCodec }) => layoutCodec(roomCodec, codec.payloadType));
    }
    if (missing === 'leave') return [];
    return roomCodecs
      .filter((codec) => codec.kind === kind && isPlainlySent(codec))
      .map((codec) => layoutCodec(codec, freePayloadType(codec.preferredPayloadType, taken)));
  });
  // In the room's order, so that peers that differ in taste only share one layout.
  const position = (mimeType: string) => roomCodecs.findIndex((codec) => codec.mimeType === mimeType);
  return { codecs: codecs.toSorted((a, b) => position(a.mimeType) - position(b.mimeType)) };
}

/** What may be offered to a peer of which only the other kind is known: what every browser decodes. */
function isPlainlySent({ mimeType, parameters = {} }: RtpCodecCapability): boolean {
  const name = mimeType.toLowerCase();
  if (name === 'video/h264') return String(parameters['profile-level-id']).startsWith('42');
  return ['audio/opus', 'audio/pcmu', 'audio/pcma', 'video/vp8', 'video/vp9', 'video/av1'].includes(name);
}

function layoutCodec(codec: RtpCodecCapability, payloadType: number): PayloadTypeLayout['codecs'][number] {
  const { kind, mimeType, clockRate, channels, parameters } = codec;
  return { kind, mimeType, clockRate, channels, parameters, payloadType };
}

/** Dynamic numbers, then those that RFC 5761 §4 leaves free beside RTCP. */
function freePayloadType(preferred: number, taken: Set<number>): number {
  const dynamic = Array.from({ length: 32 }, (_, i) => 96 + i);
  const extra = Array.from({ length: 29 }, (_, i) => 35 + i);
  const free = [preferred, ...dynamic, ...extra].find((payloadType) => !taken.has(payloadType));
  if (free === undefined) throw new GatewayError('unprocessable', 'The SDP leaves no payload type free.');
  taken.add(free);
  return free;
}

/** Who is DTLS client: a peer that offers passive (FFmpeg's WHIP muxer) waits for us (RFC 8842 §5.3). */
export function answerDtls(description: SdpDescription): { setup: DtlsSetup; dtlsParameters: DtlsParameters } {
  const isPassive = description.setup === 'passive';
  return {
    setup: isPassive ? 'active' : 'passive',
    dtlsParameters: { role: isPassive ? 'server' : 'client', fingerprints: [description.fingerprint] },
  };
}
