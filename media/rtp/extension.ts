// Owns: header extensions of RTP packets, RFC 8285.

const oneByteProfile = 0xbede;

/** @returns the data of an extension in the one-byte form, a view; undefined when the packet has none of this id */
export function findExtension(packet: Uint8Array, id: number): Uint8Array | undefined {
  const first = packet[0] ?? 0;
  if (!(first & 0x10)) return undefined;
  const start = 12 + (first & 0x0f) * 4;
  const read16 = (at: number) => ((packet[at] ?? 0) << 8) | (packet[at + 1] ?? 0);
  if (start + 4 > packet.length || read16(start) !== oneByteProfile) return undefined;
  const end = Math.min(packet.length, start + 4 + read16(start + 2) * 4);
  for (let at = start + 4; at < end; ) {
    const head = packet[at] ?? 0;
    // 0 is padding, 15 ends the list.
    if (head === 0) {
      at += 1;
      continue;
    }
    if (head >> 4 === 15) return undefined;
    const length = (head & 0x0f) + 1;
    if (head >> 4 === id && at + 1 + length <= end) return packet.subarray(at + 1, at + 1 + length);
    at += 1 + length;
  }
  return undefined;
}
