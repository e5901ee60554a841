// Owns: the first layer of MPEG-TS: packets of 188 bytes found in a byte stream, with their header and clock. Pure.
// The folder is in src/wire because gateways (SRT in the control process, HLS and HTTP in a media worker) share it.
// May import: core.

export const tsPacketBytes = 188;
const syncByte = 0x47;

/** A packet of ISO/IEC 13818-1 §2.4.3.2, its payload a view of what was pushed. */
export interface TsPacket {
  readonly pid: number;
  /** A section or a PES packet begins in it. */
  readonly isUnitStart: boolean;
  readonly isScrambled: boolean;
  /** 4 bits; rises with each packet of a PID that has a payload. */
  readonly continuity: number;
  /** The clock, or the continuity counter, begins anew here. */
  readonly isDiscontinuity: boolean;
  /** Fills the adaptation field with more than it says: what encoders do in the last packet of a PES packet. */
  readonly isStuffed: boolean;
  /** Undefined where there is none. */
  readonly payload: Buffer | undefined;
}

/** Finds packets in bytes that may begin anywhere and may be damaged. Holds less than one packet back. */
export class TsPacketReader {
  #rest: Buffer = Buffer.alloc(0);
  #isInSync = false;
  packets = 0;
  /** Bytes that belonged to no packet. */
  strayBytes = 0;

  push(data: Uint8Array, onPacket: (packet: TsPacket) => void): void {
    const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, view]) : view;
    let at = 0;
    for (;;) {
      at = this.#nextStart(bytes, at);
      if (at + tsPacketBytes > bytes.length) break;
      this.packets += 1;
      onPacket(parsePacket(bytes.subarray(at, at + tsPacketBytes)));
      at += tsPacketBytes;
    }
    // A copy: the view would keep all of the pushed bytes in memory.
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  /** Begins anew: what was half there is gone. */
  reset(): void {
    this.#rest = Buffer.alloc(0);
    this.#isInSync = false;
  }

  /** @returns where the next packet begins, or may begin once more bytes have come */
  #nextStart(bytes: Buffer, from: number): number {
    if (this.#isInSync && (from >= bytes.length || bytes[from] === syncByte)) return from;
    this.#isInSync = false;
    for (let at = bytes.indexOf(syncByte, from); at >= 0; at = bytes.indexOf(syncByte, at + 1)) {
      // A 0x47 can be anything: the next packet has to begin with one as well.
      if (at + tsPacketBytes >= bytes.length) return this.#skip(from, at);
      if (bytes[at + tsPacketBytes] !== syncByte) continue;
      this.#isInSync = true;
      return this.#skip(from, at);
    }
    return this.#skip(from, bytes.length);
  }

  #skip(from: number, to: number): number {
    this.strayBytes += to - from;
    return to;
  }

  /** The last packet has no next one to vouch for it. */
  flush(onPacket: (packet: TsPacket) => void): void {
    const bytes = this.#rest;
    this.reset();
    if (bytes.length !== tsPacketBytes || bytes[0] !== syncByte) return;
    this.packets += 1;
    onPacket(parsePacket(bytes));
  }
}

function parsePacket(packet: Buffer): TsPacket {
  const [, high = 0, low = 0, flags = 0, fieldLength = 0, fieldFlags = 0] = packet;
  const hasField = (flags & 0x20) !== 0;
  const payloadAt = hasField ? 5 + fieldLength : 4;
  const hasPayload = (flags & 0x10) !== 0 && payloadAt < tsPacketBytes && (high & 0x80) === 0;
  return {
    pid: ((high & 0x1f) << 8) | low,
    isUnitStart: (high & 0x40) !== 0,
    isScrambled: (flags & 0xc0) !== 0,
    continuity: flags & 0x0f,
    isDiscontinuity: hasField && fieldLength > 0 && (fieldFlags & 0x80) !== 0,
    isStuffed: hasField && fieldLength > usedFieldBytes(packet, fieldFlags, fieldLength),
    payload: hasPayload ? packet.subarray(payloadAt) : undefined,
  };
}

/** §2.4.3.4: one byte of flags, two clocks of six, a splice countdown, private data and an extension with their lengths. */
function usedFieldBytes(packet: Buffer, flags: number, fieldLength: number): number {
  if (fieldLength === 0) return 0;
  let used = 1 + (flags & 0x10 ? 6 : 0) + (flags & 0x08 ? 6 : 0) + (flags & 0x04 ? 1 : 0);
  if (flags & 0x02) used += 1 + (packet[5 + used] ?? 0);
  if (flags & 0x01) used += 1 + (packet[5 + used] ?? 0);
  return used;
}
