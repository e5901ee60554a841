// Owns: the RTP packet, RFC 3550 §5.1 and RFC 8285.

export interface RtpPacket {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly ssrc: number;
  /** View into the packet, without padding. */
  readonly payload: Uint8Array;
}

export const rtpHeaderLength = 12;
export const rtpTimestampOffset = 4;

/** @returns undefined for what is not a whole RTP packet; the payload is a view, not a copy */
export function parseRtp(data: Uint8Array): RtpPacket | undefined {
  const first = data[0] ?? 0;
  if (data.length < rtpHeaderLength || first >> 6 !== 2) return undefined;
  const second = data[1] ?? 0;
  let offset = rtpHeaderLength + (first & 0x0f) * 4;
  if (first & 0x10) {
    if (offset + 4 > data.length) return undefined;
    offset += 4 + uint16At(data, offset + 2) * 4;
  }
  let end = data.length;
  if (first & 0x20) {
    const padding = data[end - 1] ?? 0;
    if (padding === 0) return undefined;
    end -= padding;
  }
  if (offset > end) return undefined;
  return {
    payloadType: second & 0x7f,
    marker: second >> 7 === 1,
    sequenceNumber: uint16At(data, 2),
    timestamp: uint32At(data, 4),
    ssrc: uint32At(data, 8),
    payload: data.subarray(offset, end),
  };
}

/** Without a DataView: making one costs as much as all else here. */
function uint16At(data: Uint8Array, at: number): number {
  return ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
}

function uint32At(data: Uint8Array, at: number): number {
  return uint16At(data, at) * 0x1_0000 + uint16At(data, at + 2);
}

/** Whether a packet on a port shared by both is RTCP, RFC 5761 §4. */
export function isRtcp(data: Uint8Array): boolean {
  const type = data[1] ?? 0;
  return data.length >= 8 && (data[0] ?? 0) >> 6 === 2 && type >= 192 && type <= 223;
}

export interface RtpHeader {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly ssrc: number;
  /** Audio level (RFC 6464) under this id of a one-byte extension header (RFC 8285 §4.2). */
  readonly level?: { readonly extensionId: number; readonly dbov: number } | undefined;
}

const levelExtensionLength = 8;

/** @returns a packet of its own memory */
export function buildRtp(header: RtpHeader, ...payload: readonly Uint8Array[]): Buffer {
  const { level } = header;
  const start = rtpHeaderLength + (level ? levelExtensionLength : 0);
  let length = start;
  for (const part of payload) length += part.length;
  const packet = Buffer.allocUnsafe(length);
  packet[0] = level ? 0x90 : 0x80;
  packet[1] = (header.marker ? 0x80 : 0) | header.payloadType;
  packet.writeUInt16BE(header.sequenceNumber & 0xffff, 2);
  packet.writeUInt32BE(header.timestamp >>> 0, 4);
  packet.writeUInt32BE(header.ssrc >>> 0, 8);
  if (level) {
    packet.writeUInt32BE(0xbede0001, 12);
    packet[16] = level.extensionId << 4;
    packet[17] = Math.max(0, Math.min(127, Math.round(-level.dbov)));
    packet.writeUInt16BE(0, 18);
  }
  let offset = start;
  for (const part of payload) {
    packet.set(part, offset);
    offset += part.length;
  }
  return packet;
}
