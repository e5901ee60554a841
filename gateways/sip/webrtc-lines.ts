// Owns: ICE and DTLS in the SDP of a call: what a WebRTC phone says of itself, and what is said to it. Pure.
import { GatewayError } from '#core/errors.ts';
import type { LegCodec } from '#core/leg-media.ts';
import type { BridgedFormat, BridgedStream, PhoneBridge } from '#core/phone-bridge.ts';
import type { DtlsParameters } from '#core/rtp.ts';
import { type AudioFormats, audioFormatsOf, dtmfFor } from './audio-formats.ts';
import { cryptoLinesOf } from './sdes.ts';
import { parseSdp, type Sdp, type SdpAttribute, type SdpMedia } from './sdp.ts';

export type DtlsSetup = 'active' | 'passive' | 'actpass';

/** A phone behind ICE and DTLS, as its description says. */
export interface WebRtcPeer {
  readonly iceUfrag: string;
  readonly dtls: DtlsParameters;
  readonly setup: DtlsSetup;
  readonly stream: BridgedStream;
}

/** What a description of ours says of our end. */
export type WebRtcEnd = Pick<PhoneBridge, 'iceParameters' | 'iceCandidates' | 'dtlsParameters'>;

/** And where the leg finds it. */
export type WebRtcPlace = WebRtcEnd & { readonly localAddress: string; readonly localPort: number };

const midUri = 'urn:ietf:params:rtp-hdrext:sdes:mid';
const names: Readonly<Record<string, string>> = { opus: 'opus', g722: 'G722', pcmu: 'PCMU', pcma: 'PCMA' };

const attributeOf = (attributes: readonly SdpAttribute[], wanted: string): string | undefined =>
  attributes.find(({ name }) => name === wanted)?.value.trim();

/** Keys by DTLS: its own profile (RFC 5764 §9), or an older phone's that has a fingerprint and no other keys. */
export function isDtls(sdp: Sdp, media: SdpMedia): boolean {
  if (/^UDP\/TLS\/RTP\/SAVPF?$/.test(media.protocol)) return true;
  const hasFingerprint = attributeOf([...media.attributes, ...sdp.attributes], 'fingerprint') !== undefined;
  return /^RTP\/SAVPF?$/.test(media.protocol) && hasFingerprint && cryptoLinesOf(media).length === 0;
}

/**
 * What a phone that offers ICE and DTLS would speak; undefined for one that does not.
 * @throws GatewayError `invalid_sdp`
 */
export function offeredByWebRtc(offer: string, allowed: readonly LegCodec[]): AudioFormats | undefined {
  const sdp = parseSdp(offer);
  for (const media of sdp.media) {
    if (media.kind !== 'audio' || media.port === 0) continue;
    const formats = audioFormatsOf(media, allowed);
    if (formats.codecs.length > 0) return isDtls(sdp, media) ? spokenFormats(formats) : undefined;
  }
  return undefined;
}

/** @throws GatewayError `invalid_sdp` */
export function iceUfragOf(offer: string): string | undefined {
  const sdp = parseSdp(offer);
  const attributes = [...sdp.media.flatMap((media) => media.attributes), ...sdp.attributes];
  return attributeOf(attributes, 'ice-ufrag');
}

/** @throws GatewayError `unprocessable` with what is missing */
export function webRtcPeerOf(sdp: Sdp, media: SdpMedia): WebRtcPeer {
  const attributes = [...media.attributes, ...sdp.attributes];
  const [, algorithm = '', value = ''] =
    /^(\S{1,16}) +(\S{1,255})$/.exec(attributeOf(attributes, 'fingerprint') ?? '') ?? [];
  if (value === '') throw missing('has no a=fingerprint');
  const iceUfrag = attributeOf(attributes, 'ice-ufrag');
  if (!iceUfrag || !attributeOf(attributes, 'ice-pwd'))
    throw missing('has no ICE (a=ice-ufrag, a=ice-pwd); turn ICE on');
  if (attributeOf(media.attributes, 'rtcp-mux') === undefined) throw missing('has no a=rtcp-mux; turn it on');
  const given = attributeOf(attributes, 'setup');
  const setup = given === 'active' || given === 'passive' ? given : 'actpass';
  return {
    iceUfrag,
    dtls: { role: setup === 'passive' ? 'server' : 'client', fingerprints: [{ algorithm, value }] },
    setup,
    stream: streamOf(media),
  };
}

/** @throws GatewayError `unprocessable` for one without a name */
export function streamOf({ attributes }: SdpMedia): BridgedStream {
  const ssrc = Number(/^\d{1,10}/.exec(attributeOf(attributes, 'ssrc') ?? '')?.[0]);
  if (ssrc > 0 && ssrc < 2 ** 32) return { ssrc };
  const extension = midExtensionOf(attributes);
  const mid = attributeOf(attributes, 'mid');
  if (!extension || !mid) throw missing('has neither a=ssrc nor the header extension of its mid');
  return { mid: { value: mid, extensionId: extension } };
}

function midExtensionOf(attributes: readonly SdpAttribute[]): number | undefined {
  for (const { name, value } of attributes) {
    const [, id, uri] = (name === 'extmap' && /^(\d{1,3})(?:\/\w+)? +(\S+)/.exec(value)) || [];
    if (uri === midUri) return Number(id);
  }
  return undefined;
}

function missing(what: string): GatewayError {
  return new GatewayError('unprocessable', `Encryption by DTLS needs ICE and rtcp-mux here; the offer ${what}.`);
}

/** The one codec that is spoken, and its digits. */
export function spokenFormats({ codecs, dtmf }: AudioFormats): AudioFormats {
  const [first] = codecs;
  const keys = first && dtmfFor(first.codec, dtmf);
  return { codecs: codecs.slice(0, 1), dtmf: keys ? [keys] : [], comfortNoisePayloadType: undefined };
}

export function bridgedFormats({ codecs, dtmf }: AudioFormats): BridgedFormat[] {
  return [
    ...codecs.map(({ codec, payloadType }) => ({
      mimeType: `audio/${names[codec]}`,
      payloadType,
      clockRateHz: codec === 'opus' ? 48_000 : 8_000,
      ...(codec === 'opus' && { channels: 2 }),
    })),
    ...dtmf.map(({ payloadType, clockRateHz }) => ({ mimeType: 'audio/telephone-event', payloadType, clockRateHz })),
  ];
}

/** Lines of the session. @param mids of the m-lines that are taken; none where the peer does not bundle */
export function sessionLines(mids: readonly string[]): string[] {
  // A half ICE agent: it answers checks and sends none (RFC 8445 §2.5).
  return ['a=ice-lite', ...(mids.length === 0 ? [] : [`a=group:BUNDLE ${mids.join(' ')}`]), 'a=msid-semantic: WMS *'];
}

export interface WebRtcLine {
  readonly setup: DtlsSetup;
  readonly mid: string | undefined;
  /** Of the header extension by which the phone names its stream. */
  readonly extensionId?: number | undefined;
  /** Named as what a browser is to play together. */
  readonly track: 'mix' | 'view';
}

/** Lines of an m-line. */
export function mediaLines(end: WebRtcEnd, { setup, mid, extensionId, track }: WebRtcLine): string[] {
  const { iceParameters, iceCandidates, dtlsParameters } = end;
  const fingerprint = dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256');
  return [
    'a=rtcp-mux',
    ...(mid === undefined ? [] : [`a=mid:${mid}`]),
    ...(extensionId === undefined ? [] : [`a=extmap:${extensionId} ${midUri}`]),
    `a=ice-ufrag:${iceParameters.usernameFragment}`,
    `a=ice-pwd:${iceParameters.password}`,
    `a=fingerprint:sha-256 ${fingerprint?.value ?? ''}`,
    `a=setup:${setup}`,
    `a=msid:room ${track}`,
    ...iceCandidates.map(
      ({ foundation, protocol, priority, address, port, tcpType }) =>
        `a=candidate:${foundation} 1 ${protocol} ${priority} ${address} ${port} typ host${tcpType ? ` tcptype ${tcpType}` : ''}`,
    ),
    'a=end-of-candidates',
  ];
}

export const midOf = ({ attributes }: Pick<SdpMedia, 'attributes'>): string | undefined => {
  const mid = attributeOf(attributes, 'mid');
  return mid !== undefined && /^[\w.-]{1,64}$/.test(mid) ? mid : undefined;
};

export const isBundled = (sdp: Sdp, ...mids: readonly (string | undefined)[]): boolean =>
  sdp.attributes.some(({ name, value }) => {
    const [semantics, ...grouped] = name === 'group' ? value.trim().split(/ +/) : [];
    return semantics === 'BUNDLE' && mids.every((mid) => mid !== undefined && grouped.includes(mid));
  });

/** Whether a picture comes over the ICE and DTLS of a voice: it has none of its own here. */
export const isBesideVoice = (sdp: Sdp, media: SdpMedia): boolean =>
  isDtls(sdp, media) &&
  attributeOf(media.attributes, 'rtcp-mux') !== undefined &&
  sdp.media.some((voice) => voice.kind === 'audio' && isDtls(sdp, voice) && isBundled(sdp, midOf(voice), midOf(media)));
