// Owns: cutting frames into RTP payloads: H.264 (RFC 6184), VP8 (RFC 7741), VP9 (RFC 9628).
import { h264Nal, h264NalType } from './h264.ts';

/** Leaves room for IP, UDP, SRTP and header extensions on any path that carries 1280 bytes. */
export const maxPayloadBytes = 1_180;

/**
 * Packetization mode 1: parameter sets together in a STAP-A, large units as FU-A, the rest one by one.
 * @param nals of one access unit, in order, without start codes
 */
export function packetiseH264(nals: readonly Uint8Array[], maxBytes = maxPayloadBytes): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let sets: Uint8Array[] = [];
  let setBytes = 1;
  const flushSets = () => {
    const [first] = sets;
    if (first && sets.length === 1) payloads.push(first);
    else if (first) payloads.push(aggregate(sets));
    sets = [];
    setBytes = 1;
  };
  for (const nal of nals) {
    const type = h264NalType(nal);
    const isSet = type === h264Nal.sps || type === h264Nal.pps;
    if (isSet && setBytes + 2 + nal.length <= maxBytes) {
      sets.push(nal);
      setBytes += 2 + nal.length;
      continue;
    }
    flushSets();
    if (nal.length <= maxBytes) payloads.push(nal);
    else fragment(nal, maxBytes, payloads);
  }
  flushSets();
  return payloads;
}

/** STAP-A, RFC 6184 §5.7.1. */
export function aggregate(nals: readonly Uint8Array[]): Buffer {
  const payload = Buffer.alloc(1 + nals.reduce((sum, nal) => sum + 2 + nal.length, 0));
  let importance = 0;
  let offset = 1;
  for (const nal of nals) {
    importance = Math.max(importance, (nal[0] ?? 0) & 0x60);
    offset = payload.writeUInt16BE(nal.length, offset);
    payload.set(nal, offset);
    offset += nal.length;
  }
  payload[0] = importance | 24;
  return payload;
}

/** FU-A, RFC 6184 §5.8. */
function fragment(nal: Uint8Array, maxBytes: number, payloads: Uint8Array[]): void {
  const header = nal[0] ?? 0;
  const room = maxBytes - 2;
  for (let offset = 1; offset < nal.length; offset += room) {
    const part = nal.subarray(offset, offset + room);
    const payload = Buffer.allocUnsafe(2 + part.length);
    payload[0] = (header & 0xe0) | 28;
    payload[1] = (offset === 1 ? 0x80 : 0) | (offset + room >= nal.length ? 0x40 : 0) | (header & 0x1f);
    payload.set(part, 2);
    payloads.push(payload);
  }
}

/** VP8 with a 15-bit picture id, RFC 7741 §4.2. */
export function packetiseVp8(frame: Uint8Array, pictureId: number, maxBytes = maxPayloadBytes): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const room = maxBytes - 4;
  for (let offset = 0; offset < frame.length; offset += room) {
    const part = frame.subarray(offset, offset + room);
    const payload = Buffer.allocUnsafe(4 + part.length);
    // X bit, and S on the first of the frame.
    payload[0] = 0x80 | (offset === 0 ? 0x10 : 0);
    payload[1] = 0x80;
    payload.writeUInt16BE(0x8000 | (pictureId & 0x7fff), 2);
    payload.set(part, 4);
    payloads.push(payload);
  }
  return payloads;
}

/** VP9 in flexible mode, each frame after the one before it, RFC 9628 §4.2. */
export function packetiseVp9(
  frame: Uint8Array,
  pictureId: number,
  isKey: boolean,
  maxBytes = maxPayloadBytes,
): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const headerLength = isKey ? 3 : 4;
  const room = maxBytes - headerLength;
  for (let offset = 0; offset < frame.length; offset += room) {
    const part = frame.subarray(offset, offset + room);
    const payload = Buffer.allocUnsafe(headerLength + part.length);
    const isFirst = offset === 0;
    const isLast = offset + room >= frame.length;
    // I and F; P for what depends on another; B and E where the frame begins and ends.
    payload[0] = 0x90 | (isKey ? 0 : 0x40) | (isFirst ? 0x08 : 0) | (isLast ? 0x04 : 0);
    payload.writeUInt16BE(0x8000 | (pictureId & 0x7fff), 1);
    // P_DIFF 1, and no more of them.
    if (!isKey) payload[3] = 1 << 1;
    payload.set(part, headerLength);
    payloads.push(payload);
  }
  return payloads;
}
