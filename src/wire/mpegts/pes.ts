// Owns: PES packets: put together out of TS packets, their header read. Pure. May import: its neighbours.
import type { TsPacket } from './packet-reader.ts';

/** A 4K key frame has some megabytes; what never ends is not kept. */
const maxPesBytes = 8 * 1024 * 1024;

export interface PesPacket {
  /** 33 bits of 90 kHz; undefined where it has none. */
  readonly pts: number | undefined;
  /** Equals `pts` where only that is said. */
  readonly dts: number | undefined;
  readonly data: Buffer;
}

/** The PES packets of one PID. */
export class PesAssembler {
  #chunks: Buffer[] = [];
  #length = 0;
  /** With its header; undefined while unknown (video may leave it open, ISO/IEC 13818-1 §2.4.3.7). */
  #wanted: number | undefined;
  #isOpen = false;
  #lastContinuity = -1;
  /** Stuffing ends a packet of open length, until an encoder is seen that stuffs in the middle. */
  #trustsStuffing = true;
  #endedByStuffing = false;
  /** Packets that lost a part on the way. */
  damaged = 0;

  push(packet: TsPacket, onPes: (pes: PesPacket) => void): void {
    const { payload, isUnitStart, continuity } = packet;
    if (!payload || (continuity === this.#lastContinuity && !packet.isDiscontinuity)) return;
    const isBroken = this.#lastContinuity >= 0 && continuity !== ((this.#lastContinuity + 1) & 15);
    this.#lastContinuity = continuity;
    if (isBroken && !packet.isDiscontinuity) this.#drop();
    if (isUnitStart) {
      this.flush(onPes);
      this.#begin();
    } else if (!this.#isOpen) {
      if (this.#endedByStuffing && !isBroken) this.#trustsStuffing = false;
      return;
    }
    this.#append(payload);
    if (!this.#isOpen) return;
    if (this.#wanted !== undefined && this.#length >= this.#wanted) this.flush(onPes);
    else if (packet.isStuffed && this.#wanted === undefined && this.#trustsStuffing && !isUnitStart) {
      this.flush(onPes);
      this.#endedByStuffing = true;
    }
  }

  /** Hands out what has come of a packet whose length is open; one of known length is damaged by then. */
  flush(onPes: (pes: PesPacket) => void): void {
    if (!this.#isOpen) return;
    if (this.#wanted !== undefined && this.#length < this.#wanted) {
      this.#drop();
      return;
    }
    const bytes = Buffer.concat(this.#chunks).subarray(0, this.#wanted);
    this.#clear();
    const pes = parsePes(bytes);
    if (pes) onPes(pes);
    else this.damaged += 1;
  }

  reset(): void {
    this.#clear();
    this.#lastContinuity = -1;
  }

  #begin(): void {
    this.#isOpen = true;
    this.#endedByStuffing = false;
  }

  #append(payload: Buffer): void {
    this.#chunks.push(payload);
    this.#length += payload.length;
    if (this.#length > maxPesBytes) this.#drop();
    else if (this.#chunks.length === 1 && payload.length >= 6) {
      const length = payload.readUInt16BE(4);
      this.#wanted = length === 0 ? undefined : length + 6;
    }
  }

  #drop(): void {
    if (this.#isOpen) this.damaged += 1;
    this.#clear();
  }

  #clear(): void {
    this.#chunks = [];
    this.#length = 0;
    this.#wanted = undefined;
    this.#isOpen = false;
    this.#endedByStuffing = false;
  }
}

/** @returns undefined when it is none, or none with a header for media (padding, directory …) */
function parsePes(bytes: Buffer): PesPacket | undefined {
  if (bytes.length < 9 || bytes.readUIntBE(0, 3) !== 1) return undefined;
  const [flags = 0, headerLength = 0] = bytes.subarray(7, 9);
  if (((bytes[6] ?? 0) & 0xc0) !== 0x80 || 9 + headerLength > bytes.length) return undefined;
  const hasPts = (flags & 0x80) !== 0 && headerLength >= 5;
  const pts = hasPts ? readTimestamp(bytes, 9) : undefined;
  const dts = hasPts && (flags & 0x40) !== 0 && headerLength >= 10 ? readTimestamp(bytes, 14) : pts;
  return { pts, dts, data: bytes.subarray(9 + headerLength) };
}

/** 33 bits in five bytes, with marker bits between (§2.4.3.7). */
function readTimestamp(bytes: Buffer, at: number): number {
  const high = ((bytes[at] ?? 0) >> 1) & 0x07;
  const middle = bytes.readUInt16BE(at + 1) >> 1;
  const low = bytes.readUInt16BE(at + 3) >> 1;
  return high * 2 ** 30 + middle * 2 ** 15 + low;
}
