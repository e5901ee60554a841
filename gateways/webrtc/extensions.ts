// Owns: which RTP header extensions of a peer are used, and why not the others (RFC 8285). Pure. May import: core.
import type { RtpCapabilities, RtpHeaderExtensionParameters } from '#core/rtp.ts';
import type { SdpExtension, SdpSection } from './sdp-parse.ts';

export const extensionUris = {
  mid: 'urn:ietf:params:rtp-hdrext:sdes:mid',
  rid: 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  repairedRid: 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  audioLevel: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
} as const;

/** Bytes of each value that always has as many; a parser leaves others alone. */
const valueLengths: ReadonlyMap<string, number> = new Map([
  ['urn:3gpp:video-orientation', 1],
  ['http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01', 2],
  ['http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time', 3],
  ['urn:ietf:params:rtp-hdrext:toffset', 3],
  ['http://www.webrtc.org/experiments/rtp-hdrext/playout-delay', 3],
  ['urn:mediasoup:params:rtp-hdrext:packet-id', 4],
  ['http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time', 16],
]);

/** What the SFU takes but never writes. */
const neverSent: ReadonlySet<string> = new Set([extensionUris.rid, extensionUris.repairedRid]);

/** What does no harm to a receiver that reads something else into it: a level to show, a name that it does not know. */
const harmless: ReadonlySet<string> = new Set([extensionUris.audioLevel, extensionUris.rid, extensionUris.repairedRid]);

export const hasUri = (extensions: readonly { readonly uri: string }[], uri: string): boolean =>
  extensions.some((extension) => extension.uri === uri);

/**
 * The SFU writes its own extensions into every packet that it sends, under its own ids, whatever was negotiated. A peer
 * that only receives ignores them, as nothing was negotiated with it. But a peer that also sends has given these ids a
 * meaning, within a BUNDLE for both ways: to Chromium, id 4 is the mid where the SFU writes a time, and a packet of an
 * unknown mid is dropped (RFC 8843 §9.2). So what the peer would misread is not negotiated with it at all.
 * @param isTwoWay whether we send on the same connection too
 */
export function receivedExtensions(
  section: SdpSection,
  room: RtpCapabilities,
  isTwoWay: boolean,
): RtpHeaderExtensionParameters[] {
  const all = room.headerExtensions ?? [];
  const known = all.filter(
    ({ kind, direction = 'sendrecv' }) =>
      kind === section.kind && (direction === 'sendrecv' || direction === 'recvonly'),
  );
  const seen = new Set<string>();
  return section.extensions.filter((extension) => {
    const { uri } = extension;
    if (seen.has(uri) || !hasUri(known, uri) || (isTwoWay && isMisread(extension, all))) return false;
    seen.add(uri);
    return true;
  });
}

function isMisread({ id, uri }: SdpExtension, room: NonNullable<RtpCapabilities['headerExtensions']>): boolean {
  const written = room.find((ours) => ours.preferredId === id && ours.uri !== uri && !neverSent.has(ours.uri));
  if (!written || harmless.has(uri)) return false;
  const length = valueLengths.get(uri);
  const writtenLength = valueLengths.get(written.uri);
  return length === undefined || writtenLength === undefined || length === writtenLength;
}
