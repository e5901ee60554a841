// Owns: how mediasoup is told which stream of a phone is meant. Pure.
import type { types } from 'mediasoup';
import type { BridgedStream } from '#core/phone-bridge.ts';
import { refuse } from './untrusted.ts';

const midUri = 'urn:ietf:params:rtp-hdrext:sdes:mid';

/** @throws GatewayError `invalid_request` for one without a name */
export function streamParameters({
  ssrc,
  mid,
}: BridgedStream): Pick<types.RtpParameters, 'mid' | 'headerExtensions' | 'encodings'> {
  if (ssrc !== undefined) return { encodings: [{ ssrc }] };
  if (!mid) refuse('stream', 'has neither an SSRC nor a mid');
  return { mid: mid.value, headerExtensions: [{ uri: midUri, id: mid.extensionId }], encodings: [{}] };
}
