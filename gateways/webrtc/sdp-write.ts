// Owns: our side of an SDP, written: answers, and the offers that bring new streams to plain clients. Pure.
// May import: core, sdp-transform and its siblings here.
import { type MediaDescription, type SessionDescription, write } from 'sdp-transform';
import type {
  DtlsParameters,
  IceCandidate,
  IceParameters,
  MediaKind,
  RtcpFeedback,
  RtpCodecCapability,
  RtpParameters,
} from '#core/rtp.ts';
import type { CodecMatch } from './codecs.ts';
import type { Direction, DtlsSetup, SdpCodec, SdpExtension, SdpSection } from './sdp-parse.ts';
import type { ReceivedTrack } from './translate.ts';

export interface LocalCodec {
  readonly payloadType: number;
  readonly name: string;
  readonly clockRate: number;
  readonly channels: number | undefined;
  readonly fmtp: string | undefined;
  readonly feedback: readonly RtcpFeedback[];
}

/** What goes out on an m-line: `a=msid` groups a participant's tracks so that browsers keep them in step. */
export interface LocalStream {
  readonly streamId: string;
  readonly trackId: string;
  readonly cname: string | undefined;
  /** Left out where the stream may be replaced without renegotiation (see whep-session.ts). */
  readonly ssrc: number | undefined;
}

export interface RejectedSection {
  readonly isRejected: true;
  readonly mid: string;
  readonly kind: string;
  readonly protocol: string;
  readonly formats: string;
}

export interface AcceptedSection {
  readonly isRejected: false;
  readonly mid: string;
  readonly kind: MediaKind;
  readonly protocol: string;
  /** Ours. */
  readonly direction: Direction;
  readonly codecs: readonly LocalCodec[];
  readonly extensions: readonly SdpExtension[];
  readonly hasReducedRtcp: boolean;
  /** Simulcast streams that we take, in the order offered. */
  readonly receivedRids: readonly string[];
  readonly stream: LocalStream | undefined;
}

export type LocalSection = RejectedSection | AcceptedSection;

export interface LocalTransport {
  readonly iceParameters: IceParameters;
  readonly iceCandidates: readonly IceCandidate[];
  readonly dtlsParameters: DtlsParameters;
  readonly setup: DtlsSetup;
}

export interface LocalDescription {
  readonly sessionId: number;
  /** Grows with each description of a session (RFC 9429 §5.2.2). */
  readonly version: number;
  readonly sections: readonly LocalSection[];
  readonly transport: LocalTransport;
}

export const rejectedSection = ({ mid, kind, protocol, formats }: SdpSection): RejectedSection => ({
  isRejected: true,
  mid,
  kind,
  protocol,
  formats,
});

/** The m-line on which we take what the peer sends. */
export function receivingSection({ section, kind, match, rtpParameters }: ReceivedTrack): AcceptedSection {
  const main = { ...toLocal(match.codec, match.feedback), fmtp: receivedFmtp(match) };
  return {
    isRejected: false,
    mid: section.mid,
    kind,
    protocol: section.protocol,
    direction: 'recvonly',
    codecs: match.rtx ? [main, toLocal(match.rtx, [])] : [main],
    extensions: (rtpParameters.headerExtensions ?? []).map(({ id, uri }) => ({ id, uri })),
    hasReducedRtcp: section.hasReducedRtcp,
    receivedRids: rtpParameters.encodings?.some(({ rid }) => rid !== undefined)
      ? section.sendRids.map(({ id }) => id)
      : [],
    stream: undefined,
  };
}

/** The m-line on which we send, in an answer. No header extensions: those of the SFU have numbers of their own. */
export function sendingSection(
  section: SdpSection,
  kind: MediaKind,
  codecs: readonly LocalCodec[],
  stream: LocalStream | undefined,
): LocalSection {
  return {
    isRejected: false,
    mid: section.mid,
    kind,
    protocol: section.protocol,
    direction: stream ? 'sendonly' : 'inactive',
    codecs,
    extensions: [],
    hasReducedRtcp: section.hasReducedRtcp,
    receivedRids: [],
    stream,
  };
}

/** What we send on an m-line of the peer, in its words. */
export const sentCodec = ({ codec, feedback }: CodecMatch): LocalCodec => toLocal(codec, feedback.filter(isForSending));

/** A room's codec as we offer it ourselves. */
export function offeredCodec(codec: RtpCodecCapability, payloadType: number): LocalCodec {
  const fmtp = Object.entries(codec.parameters ?? {})
    .filter(([key]) => !key.startsWith('x-google-'))
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(';');
  return {
    payloadType,
    name: codec.mimeType.slice(codec.mimeType.indexOf('/') + 1),
    clockRate: codec.clockRate,
    channels: codec.channels,
    fmtp: fmtp || undefined,
    feedback: (codec.rtcpFeedback ?? []).filter(isForSending),
  };
}

/** `stream` of a subscription whose SSRC is to be announced. */
export function announcedStream(streamId: string, trackId: string, rtpParameters: RtpParameters): LocalStream {
  return { streamId, trackId, cname: rtpParameters.rtcp?.cname, ssrc: rtpParameters.encodings?.[0]?.ssrc };
}

/** The peer's own words, and to libwebrtc's kin the rate that the room wants senders to begin with. */
function receivedFmtp({ codec, roomCodec, feedback }: CodecMatch): string | undefined {
  const startKbps = roomCodec.parameters?.['x-google-start-bitrate'];
  if (startKbps === undefined || !feedback.some(({ type }) => type === 'goog-remb')) return codec.fmtp;
  return [codec.fmtp, `x-google-start-bitrate=${String(startKbps)}`].filter(Boolean).join(';');
}

/** Without bandwidth estimation, which needs header extensions, only repair and key frames are asked for. */
function isForSending({ type }: RtcpFeedback): boolean {
  return type === 'nack' || type === 'ccm';
}

function toLocal(codec: SdpCodec, feedback: readonly RtcpFeedback[]): LocalCodec {
  const { payloadType, name, clockRate, channels, fmtp } = codec;
  return { payloadType, name, clockRate, channels, fmtp, feedback };
}

/** @returns the SDP text, lines ended by CRLF */
export function writeSdp(description: LocalDescription): string {
  const accepted = description.sections.filter(({ isRejected }) => !isRejected);
  const session: SessionDescription = {
    version: 0,
    origin: {
      username: 'switchyard',
      sessionId: description.sessionId,
      sessionVersion: description.version,
      netType: 'IN',
      ipVer: 4,
      address: '127.0.0.1',
    },
    name: '-',
    timing: { start: 0, stop: 0 },
    // A half ICE agent: it answers checks and sends none (RFC 8445 §2.5).
    icelite: 'ice-lite',
    groups: accepted.length > 0 ? [{ type: 'BUNDLE', mids: accepted.map(({ mid }) => mid).join(' ') }] : [],
    msidSemantic: { semantic: 'WMS', token: '*' },
    media: description.sections.map((section) =>
      // Candidates of a bundle stand in its first m-line (RFC 9429 §5.3.1).
      writeSection(section, description.transport, section === accepted[0]),
    ),
  };
  return write(session);
}

function writeSection(section: LocalSection, transport: LocalTransport, isFirst: boolean): MediaDescription {
  const common = {
    type: section.kind,
    protocol: section.protocol,
    connection: { version: 4, ip: '0.0.0.0' },
    mid: section.mid,
    rtp: [],
    fmtp: [],
  };
  if (section.isRejected) return { ...common, port: 0, payloads: section.formats, direction: 'inactive' };
  const { codecs, stream } = section;
  const fingerprint = transport.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256');
  const { receivedRids } = section;
  return {
    ...common,
    port: 9,
    payloads: codecs.map(({ payloadType }) => payloadType).join(' '),
    iceUfrag: transport.iceParameters.usernameFragment,
    icePwd: transport.iceParameters.password,
    ...(fingerprint ? { fingerprint: { type: fingerprint.algorithm, hash: fingerprint.value } } : {}),
    setup: transport.setup,
    direction: section.direction,
    rtcpMux: 'rtcp-mux',
    ...(section.hasReducedRtcp ? { rtcpRsize: 'rtcp-rsize' as const } : {}),
    rtp: codecs.map(({ payloadType, name, clockRate, channels }) => ({
      payload: payloadType,
      codec: name,
      rate: clockRate,
      ...(section.kind === 'audio' && channels !== undefined && channels > 1 ? { encoding: channels } : {}),
    })),
    fmtp: codecs.flatMap(({ payloadType, fmtp }) =>
      fmtp === undefined ? [] : [{ payload: payloadType, config: fmtp }],
    ),
    rtcpFb: codecs.flatMap(({ payloadType, feedback }) =>
      feedback.map(({ type, parameter }) => ({
        payload: payloadType,
        type,
        ...(parameter ? { subtype: parameter } : {}),
      })),
    ),
    ext: section.extensions.map(({ id, uri }) => ({ value: id, uri })),
    ...(receivedRids.length > 0
      ? {
          rids: receivedRids.map((id) => ({ id, direction: 'recv' })),
          simulcast: { dir1: 'recv' as const, list1: receivedRids.join(';') },
        }
      : {}),
    ...(stream ? writeStream(stream) : {}),
    ...(isFirst
      ? { candidates: transport.iceCandidates.map(writeCandidate), endOfCandidates: 'end-of-candidates' }
      : {}),
  };
}

function writeStream({ streamId, trackId, cname, ssrc }: LocalStream): Partial<MediaDescription> {
  const msid = `${streamId} ${trackId}`;
  return {
    msid: [{ id: streamId, appdata: trackId }],
    ...(ssrc === undefined
      ? {}
      : {
          ssrcs: [
            ...(cname === undefined ? [] : [{ id: ssrc, attribute: 'cname', value: cname }]),
            { id: ssrc, attribute: 'msid', value: msid },
          ],
        }),
  };
}

function writeCandidate(candidate: IceCandidate): NonNullable<MediaDescription['candidates']>[number] {
  return {
    foundation: candidate.foundation,
    component: 1,
    transport: candidate.protocol,
    priority: candidate.priority,
    ip: candidate.address,
    port: candidate.port,
    type: candidate.type,
    ...(candidate.tcpType ? { tcptype: candidate.tcpType } : {}),
  };
}
