// Owns: the few RTCP packets that RTSP itself has to send (RFC 3550 §6, RFC 4585 §6.3.1). Pure.

/** An empty receiver report with a name: tells a server that somebody still listens. */
export function buildReceiverReport(ssrc: number, cname: string): Buffer {
  const name = Buffer.from(cname, 'latin1').subarray(0, 32);
  // SDES: header, SSRC, one item (type, length, text), a zero to end the list, padding to a whole word.
  const wordsAfterHeader = Math.ceil((4 + 2 + name.length + 1) / 4);
  const packet = Buffer.alloc(8 + 4 + 4 * wordsAfterHeader);
  packet.writeUInt16BE(0x80c9);
  packet.writeUInt16BE(1, 2);
  packet.writeUInt32BE(ssrc, 4);
  packet.writeUInt16BE(0x81ca, 8);
  packet.writeUInt16BE(wordsAfterHeader, 10);
  packet.writeUInt32BE(ssrc, 12);
  packet.writeUInt8(1, 16);
  packet.writeUInt8(name.length, 17);
  name.copy(packet, 18);
  return packet;
}

/** Asks the sender of `mediaSsrc` for a key frame. */
export function buildPli(senderSsrc: number, mediaSsrc: number): Buffer {
  const packet = Buffer.alloc(12);
  packet.writeUInt16BE(0x81ce);
  packet.writeUInt16BE(2, 2);
  packet.writeUInt32BE(senderSsrc, 4);
  packet.writeUInt32BE(mediaSsrc, 8);
  return packet;
}

/** Whether a player wants a picture that can be decoded by itself: PLI (RFC 4585 §6.3.1) or FIR (RFC 5104 §4.3.1). */
export function asksForKeyFrame(packet: Uint8Array): boolean {
  for (let at = 0; at + 4 <= packet.length; ) {
    const [first = 0, type = 0, high = 0, low = 0] = packet.subarray(at, at + 4);
    if (first >> 6 !== 2) return false;
    if (type === 206 && ((first & 31) === 1 || (first & 31) === 4)) return true;
    at += 4 * (1 + ((high << 8) | low));
  }
  return false;
}
