// Owns: the same second look (rtp-params.ts) at what clients say about DTLS and data channels. Pure.
import type { types } from 'mediasoup';
import type { VideoLayers } from '#core/ports.ts';
import { integer, list, oneOf, optional, record, refuse, text } from './untrusted.ts';

/** Bytes of each digest (RFC 8122 §5); the worker compares them as upper-case hex. */
const digestLengths = { 'sha-1': 20, 'sha-224': 28, 'sha-256': 32, 'sha-384': 48, 'sha-512': 64 } as const;
const algorithms = Object.keys(digestLengths) as (keyof typeof digestLengths)[];

/** @throws GatewayError `invalid_request` */
export function checkDtlsParameters(value: unknown): types.DtlsParameters {
  const given = record(value, 'dtlsParameters');
  const fingerprints = list(given.fingerprints, 'fingerprints', 1, 16).map((value, i): types.DtlsFingerprint => {
    const path = `fingerprints[${i}]`;
    const fingerprint = record(value, path);
    const name = text(fingerprint.algorithm, `${path}.algorithm`, 1, 16).toLowerCase();
    const algorithm = oneOf(name, `${path}.algorithm`, algorithms);
    const digest = text(fingerprint.value, `${path}.value`, 1, 255, /^[0-9a-f]{2}(:[0-9a-f]{2})*$/i);
    if (digest.length !== digestLengths[algorithm] * 3 - 1) refuse(`${path}.value`, `is not a ${algorithm} digest`);
    return { algorithm, value: digest.toUpperCase() };
  });
  const role = optional(given.role, (role) => oneOf<types.DtlsRole>(role, 'role', ['auto', 'client', 'server']));
  return { role: role ?? 'auto', fingerprints };
}

/** @throws GatewayError `invalid_request` */
export function checkSctpStreamParameters(value: unknown): types.SctpStreamParameters {
  const given = record(value, 'sctpStreamParameters');
  const limit = (key: 'maxPacketLifeTime' | 'maxRetransmits') =>
    optional(given[key], (value) => integer(value, key, 0, 65_535));
  const maxPacketLifeTime = limit('maxPacketLifeTime');
  const maxRetransmits = limit('maxRetransmits');
  if (maxPacketLifeTime !== undefined && maxRetransmits !== undefined) {
    refuse('sctpStreamParameters', 'may limit either lifetime or retransmissions');
  }
  return {
    // 65535 is reserved (RFC 8832 §6).
    streamId: integer(given.streamId, 'streamId', 0, 65_534),
    ordered: given.ordered !== false && maxPacketLifeTime === undefined && maxRetransmits === undefined,
    ...(maxPacketLifeTime === undefined ? {} : { maxPacketLifeTime }),
    ...(maxRetransmits === undefined ? {} : { maxRetransmits }),
  };
}

/** @throws GatewayError `invalid_request` */
export function checkVideoLayers(value: unknown): VideoLayers {
  const given = record(value, 'layers');
  return {
    spatialLayer: integer(given.spatialLayer, 'spatialLayer', 0, 15),
    temporalLayer: optional(given.temporalLayer, (layer) => integer(layer, 'temporalLayer', 0, 15)),
  };
}

/** Label or protocol of a data channel. @throws GatewayError `invalid_request` */
export const checkDataText = (value: unknown, path: string): string => text(value, path, 0, 1_024);
