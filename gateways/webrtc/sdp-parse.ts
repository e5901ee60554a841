// Owns: an SDP of a WebRTC peer, read and checked (RFC 8866, 8829, 8843, 9429). Pure.
// May import: core, sdp-transform.
import { type MediaDescription, parse, parsePayloads, type SessionDescription } from 'sdp-transform';
import { GatewayError } from '#core/errors.ts';
import type { RtcpFeedback } from '#core/rtp.ts';

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
export type DtlsSetup = 'actpass' | 'active' | 'passive';

export interface SdpCodec {
  readonly payloadType: number;
  /** As the peer writes it: `VP8`, `opus`, `OPUS`. */
  readonly name: string;
  readonly clockRate: number;
  readonly channels: number | undefined;
  /** Keys in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The fmtp text itself, to be sent back unchanged. */
  readonly fmtp: string | undefined;
  readonly feedback: readonly RtcpFeedback[];
}

export interface SdpExtension {
  readonly id: number;
  readonly uri: string;
}

/** One m-line and what belongs to it. */
export interface SdpSection {
  readonly index: number;
  readonly mid: string;
  /** `audio`, `video`, `application` or whatever else the peer wrote. */
  readonly kind: string;
  readonly protocol: string;
  /** Format list as text, echoed when the m-line is rejected. */
  readonly formats: string;
  /** Port 0 without bundle-only: the peer has given this m-line up (RFC 8843 §6). */
  readonly isRejected: boolean;
  readonly isBundled: boolean;
  readonly hasRtcpMux: boolean;
  readonly hasReducedRtcp: boolean;
  readonly direction: Direction;
  /** In the peer's order of preference. */
  readonly codecs: readonly SdpCodec[];
  readonly extensions: readonly SdpExtension[];
  /** rids that the peer sends, in the order of a=simulcast; empty without simulcast. */
  readonly sendRids: readonly SdpRid[];
  readonly ssrcs: readonly number[];
  readonly ssrcGroups: readonly { readonly semantics: string; readonly ssrcs: readonly number[] }[];
  readonly cname: string | undefined;
}

export interface SdpRid {
  readonly id: string;
  readonly restrictions: Readonly<Record<string, string>>;
}

export interface SdpDescription {
  /** `rtc` is libdatachannel, `mozilla…` Firefox, `-` nearly everybody else. */
  readonly originUser: string;
  /** Stays over all descriptions of one RTCPeerConnection (RFC 9429 §5.2.1). */
  readonly sessionId: string;
  readonly usernameFragment: string;
  readonly fingerprint: { readonly algorithm: string; readonly value: string };
  readonly setup: DtlsSetup;
  readonly sections: readonly SdpSection[];
}

export const maxSdpLength = 65_536;
const maxSections = 128;
const maxLineLength = 8_192;
const maxCodecs = 128;
const maxExtensions = 32;
const maxSsrcs = 32;
const maxRids = 8;

const token = /^[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}$/;
const ridPattern = /^[A-Za-z0-9_-]{1,16}$/;
const fingerprintPattern = /^[0-9A-F]{2}(:[0-9A-F]{2}){15,63}$/i;
const fingerprintAlgorithms = new Set(['sha-1', 'sha-224', 'sha-256', 'sha-384', 'sha-512']);

/**
 * Session-level values are handed down to the m-lines, so that peers that write ICE and DTLS once (libdatachannel) and
 * those that repeat them (browsers) look the same.
 * @throws GatewayError `invalid_sdp` when it cannot be understood, `unprocessable` when it asks for what we do not do
 */
export function parseSdp(text: string): SdpDescription {
  if (text.length > maxSdpLength) throw invalid(`it is longer than ${maxSdpLength} characters`);
  if (!text.startsWith('v=0')) throw invalid('it does not start with v=0');
  if (text.split(/[\r\n]+/).some((line) => line.length > maxLineLength)) throw invalid('a line is too long');
  let session: SessionDescription;
  try {
    session = parse(text);
  } catch (cause) {
    throw new GatewayError('invalid_sdp', 'The SDP cannot be read.', { cause });
  }
  if (session.media.length === 0) throw invalid('it has no m-line');
  if (session.media.length > maxSections) throw unprocessable(`it has more than ${maxSections} m-lines`);
  const bundled = bundledMids(session);
  const sections = session.media.map((media, index) => readSection(media, index, session, bundled));
  const mids = new Set(sections.map((section) => section.mid));
  if (mids.size !== sections.length) throw invalid('two m-lines have the same a=mid');
  const originUser = String(session.origin?.username ?? '-');
  const sessionId = String(session.origin?.sessionId ?? '');
  return { originUser, sessionId, sections, ...readTransport(session, sections) };
}

type TransportPart = Pick<SdpDescription, 'usernameFragment' | 'fingerprint' | 'setup'>;

/** ICE and DTLS of the first m-line that is in use: with BUNDLE it holds for all (RFC 8843 §7.1.3). */
function readTransport(session: SessionDescription, sections: readonly SdpSection[]): TransportPart {
  const first = sections.find((section) => !section.isRejected) ?? sections[0];
  const media = session.media[first?.index ?? 0];
  const usernameFragment = media?.iceUfrag ?? session.iceUfrag;
  const password = media?.icePwd ?? session.icePwd;
  const fingerprint = media?.fingerprint ?? session.fingerprint;
  if (usernameFragment === undefined || password === undefined) throw invalid('a=ice-ufrag or a=ice-pwd is missing');
  if (!fingerprint) {
    throw unprocessable('a=fingerprint is missing: media goes over DTLS-SRTP only');
  }
  const algorithm = String(fingerprint.type).toLowerCase();
  const value = String(fingerprint.hash).toUpperCase();
  if (!fingerprintAlgorithms.has(algorithm) || !fingerprintPattern.test(value)) {
    throw invalid('a=fingerprint is not one of SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512');
  }
  const setup = media?.setup ?? session.setup ?? 'actpass';
  if (setup !== 'actpass' && setup !== 'active' && setup !== 'passive') {
    throw invalid('a=setup is not actpass, active or passive');
  }
  return { usernameFragment: String(usernameFragment).slice(0, 256), fingerprint: { algorithm, value }, setup };
}

function bundledMids(session: SessionDescription): ReadonlySet<string> {
  const group = session.groups?.find(({ type }) => String(type).toUpperCase() === 'BUNDLE');
  return new Set(group ? String(group.mids).trim().split(/\s+/) : []);
}

function readSection(
  media: MediaDescription,
  index: number,
  session: SessionDescription,
  bundled: ReadonlySet<string>,
): SdpSection {
  if (typeof media.type !== 'string' || media.payloads === undefined) throw invalid(`m-line ${index} is malformed`);
  // Before RFC 8829 a mid could be absent; the position says the same.
  const mid = String(media.mid ?? index);
  if (!token.test(mid)) throw invalid(`a=mid of m-line ${index} is not a token of at most 64 characters`);
  const isRtp = media.type === 'audio' || media.type === 'video';
  const direction = media.direction ?? session.direction ?? 'sendrecv';
  return {
    index,
    mid,
    kind: media.type,
    protocol: String(media.protocol),
    formats: String(media.payloads),
    isRejected: media.port === 0 && !('bundleOnly' in media),
    // A single m-line needs no group.
    isBundled: bundled.has(mid) || (session.media.length === 1 && bundled.size === 0),
    hasRtcpMux: 'rtcpMux' in media,
    hasReducedRtcp: 'rtcpRsize' in media,
    direction,
    codecs: isRtp ? readCodecs(media, index) : [],
    extensions: isRtp ? readExtensions(media, session) : [],
    sendRids: readSendRids(media, index),
    ...readSsrcs(media, index),
  };
}

function readCodecs(media: MediaDescription, index: number): SdpCodec[] {
  const payloadTypes = parsePayloads(String(media.payloads).trim());
  if (payloadTypes.length > maxCodecs) throw unprocessable(`m-line ${index} has more than ${maxCodecs} formats`);
  const codecs: SdpCodec[] = [];
  for (const payloadType of new Set(payloadTypes)) {
    const described = media.rtp.find(({ payload }) => payload === payloadType) ?? staticPayloads.get(payloadType);
    if (!described || !isIn(payloadType, 0, 127) || !isIn(described.rate, 1, 1_000_000)) continue;
    const fmtp = media.fmtp.find(({ payload }) => payload === payloadType)?.config;
    codecs.push({
      payloadType,
      name: String(described.codec),
      clockRate: Number(described.rate),
      channels: isIn(described.encoding, 1, 255) ? Number(described.encoding) : undefined,
      parameters: fmtp === undefined ? {} : parseParameters(String(fmtp)),
      fmtp: fmtp === undefined ? undefined : String(fmtp),
      feedback: (media.rtcpFb ?? [])
        .filter(({ payload }) => payload === payloadType || payload === '*')
        .slice(0, 16)
        .map(({ type, subtype }) => ({ type: String(type), parameter: subtype === undefined ? '' : String(subtype) })),
    });
  }
  return codecs;
}

/** Payload types that need no a=rtpmap (RFC 3551 §6). */
const staticPayloads = new Map([
  [0, { codec: 'PCMU', rate: 8_000, encoding: undefined }],
  [8, { codec: 'PCMA', rate: 8_000, encoding: undefined }],
  [9, { codec: 'G722', rate: 8_000, encoding: undefined }],
]);

/** `a=1;b=2` with keys in lower case; without a prototype, since the keys are the peer's. */
export function parseParameters(config: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  for (const pair of config.split(';').slice(0, 64)) {
    const equals = pair.indexOf('=');
    if (equals > 0) parameters[pair.slice(0, equals).trim().toLowerCase()] = pair.slice(equals + 1).trim();
  }
  return parameters;
}

function readExtensions(media: MediaDescription, session: SessionDescription): SdpExtension[] {
  const extensions = new Map<number, SdpExtension>();
  for (const { value, uri } of [...(media.ext ?? []), ...(session.ext ?? [])].slice(0, maxExtensions)) {
    if (!isIn(value, 1, 255) || extensions.has(value)) continue;
    extensions.set(value, { id: value, uri: String(uri) });
  }
  return [...extensions.values()];
}

function readSendRids(media: MediaDescription, index: number): SdpRid[] {
  const { simulcast, rids = [] } = media;
  const list = simulcast?.dir1 === 'send' ? simulcast.list1 : simulcast?.dir2 === 'send' ? simulcast.list2 : undefined;
  if (list === undefined) return [];
  // `a,b;c`: alternatives of one stream by comma, of which the first is taken; `~` marks one that starts paused.
  const ids = String(list)
    .trim()
    .split(';')
    .map((alternatives) => (alternatives.split(',')[0] ?? '').replace(/^~/, ''));
  if (ids.length > maxRids) throw unprocessable(`m-line ${index} has more than ${maxRids} simulcast streams`);
  if (new Set(ids).size !== ids.length || !ids.every((id) => ridPattern.test(id))) {
    throw invalid(`a=simulcast of m-line ${index} names a rid that is malformed or there twice`);
  }
  return ids.map((id) => {
    // One that no a=rid describes has no restrictions.
    const rid = rids.find((candidate) => String(candidate.id) === id && candidate.direction === 'send');
    return { id, restrictions: parseParameters(String(rid?.params ?? '')) };
  });
}

function readSsrcs(media: MediaDescription, index: number): Pick<SdpSection, 'ssrcs' | 'ssrcGroups' | 'cname'> {
  const lines = media.ssrcs ?? [];
  const ssrcs = [...new Set(lines.map(({ id }) => Number(id)))];
  if (ssrcs.length > maxSsrcs) throw unprocessable(`m-line ${index} has more than ${maxSsrcs} SSRCs`);
  if (!ssrcs.every((ssrc) => isIn(ssrc, 1, 0xffff_ffff))) throw invalid(`m-line ${index} has an SSRC that is none`);
  const groups = (media.ssrcGroups ?? []).slice(0, maxSsrcs).map((group) => ({
    semantics: String(group.semantics),
    ssrcs: String(group.ssrcs).trim().split(/\s+/).map(Number),
  }));
  const cname = lines.find(({ attribute }) => attribute === 'cname')?.value;
  return {
    ssrcs,
    // A group of SSRCs that no line describes says nothing that could be used.
    ssrcGroups: groups.filter((group) => group.ssrcs.every((ssrc) => ssrcs.includes(ssrc))),
    cname: cname === undefined ? undefined : String(cname).slice(0, 255),
  };
}

function isIn(value: unknown, lowest: number, highest: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= lowest && value <= highest;
}

function invalid(reason: string): GatewayError {
  return new GatewayError('invalid_sdp', `The SDP is not valid: ${reason}.`);
}

function unprocessable(reason: string): GatewayError {
  return new GatewayError('unprocessable', `The SDP cannot be used: ${reason}.`);
}
