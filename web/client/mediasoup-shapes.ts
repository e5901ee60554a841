// Owns: the one place where the protocol's shapes become mediasoup-client's. May import: mediasoup-client (types).
import type { IceParameters, RtpCapabilities, RtpParameters, TransportOptions } from 'mediasoup-client/types';
import type { ResultMap, SubscriptionInfo } from '#signalling/protocol.ts';

// The shapes are the same. Ours are read-only, and leave names (extension URIs, fingerprint algorithms) open where
// mediasoup-client lists them; it clones what it is given before it writes to it.

export function asRtpCapabilities(capabilities: ResultMap['join']['rtpCapabilities']): RtpCapabilities {
  return capabilities as RtpCapabilities;
}

export function asTransportOptions(
  result: ResultMap['createTransport'],
  iceTransportPolicy: RTCIceTransportPolicy | undefined,
): TransportOptions {
  return { ...(result as unknown as TransportOptions), ...(iceTransportPolicy && { iceTransportPolicy }) };
}

export function asIceParameters(parameters: ResultMap['restartIce']['iceParameters']): IceParameters {
  return parameters;
}

export function asRtpParameters(parameters: SubscriptionInfo['rtpParameters']): RtpParameters {
  return parameters as RtpParameters;
}
