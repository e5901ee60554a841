// Owns: mediasoup's counters in the units of the port. Pure.
import type { types } from 'mediasoup';
import type { StreamStats, TransportStats } from '#core/ports.ts';

type NativeStreamStats = types.RtpStreamRecvStats | types.RtpStreamSendStats;

/** @param codecs of the stream, for the clock that its jitter is counted in */
export function toStreamStats(
  native: NativeStreamStats,
  codecs: readonly { readonly mimeType: string; readonly clockRate: number }[],
): StreamStats {
  const clockRate = codecs.find((codec) => codec.mimeType.toLowerCase() === native.mimeType.toLowerCase())?.clockRate;
  return {
    rid: native.rid,
    ssrc: native.ssrc,
    mimeType: native.mimeType,
    bitrateBps: native.bitrate,
    byteCount: native.byteCount,
    packetCount: native.packetCount,
    // RFC 3550 §6.4.1 lets it be negative where duplicates arrive; nobody has lost fewer than none.
    packetsLost: Math.max(0, native.packetsLost),
    // Eighths of a byte: a fixed point number of 1/256 (RFC 3550 §6.4.1).
    fractionLost: native.fractionLost / 256,
    // RTP timestamp units (RFC 3550 §6.4.1).
    jitterMs: clockRate === undefined ? 0 : (native.jitter / clockRate) * 1_000,
    roundTripTimeMs: native.roundTripTime,
    nackCount: native.nackCount,
    pliCount: native.pliCount,
    firCount: native.firCount,
    score: native.score,
  };
}

export function toTransportStats(
  native: types.BaseTransportStats & { readonly iceSelectedTuple?: types.TransportTuple },
): TransportStats {
  const tuple = native.iceSelectedTuple;
  return {
    sentBitrateBps: native.sendBitrate,
    receivedBitrateBps: native.recvBitrate,
    byteCountSent: native.bytesSent,
    byteCountReceived: native.bytesReceived,
    availableOutgoingBps: native.availableOutgoingBitrate,
    remoteAddress: tuple && describeRemote(tuple),
    protocol: tuple?.protocol,
  };
}

function describeRemote({ protocol, remoteIp, remotePort }: types.TransportTuple): string | undefined {
  if (remoteIp === undefined || remotePort === undefined) return undefined;
  return `${protocol} ${remoteIp.includes(':') ? `[${remoteIp}]` : remoteIp}:${remotePort}`;
}
