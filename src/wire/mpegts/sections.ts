// Owns: program tables of MPEG-TS: sections put together out of packets, checked, and read as PAT and PMT. Pure.
// May import: its neighbours.
import type { TsPacket } from './packet-reader.ts';

/** ISO/IEC 13818-1 §2.4.4.8: of PAT and PMT, with header and CRC. */
const maxSectionBytes = 1_024;
const tableId = { pat: 0x00, pmt: 0x02 } as const;
const maxPrograms = 64;
const maxElementaryStreams = 64;

export interface ProgramMap {
  readonly streams: readonly ElementaryStream[];
}

export interface ElementaryStream {
  readonly pid: number;
  readonly streamType: number;
  readonly descriptors: readonly Descriptor[];
}

export interface Descriptor {
  readonly tag: number;
  readonly data: Buffer;
}

/** The sections of one PID. */
export class SectionAssembler {
  #bytes: Buffer | undefined;
  #lastContinuity = -1;
  /** Sections whose checksum was wrong. */
  damaged = 0;

  /** @param onSection gets whole sections with the right checksum, without it, in one buffer of their own */
  push({ payload, isUnitStart, continuity }: TsPacket, onSection: (section: Buffer) => void): void {
    if (!payload || continuity === this.#lastContinuity) return; // sent twice, §2.4.3.3
    if (this.#lastContinuity >= 0 && continuity !== ((this.#lastContinuity + 1) & 15)) this.#bytes = undefined;
    this.#lastContinuity = continuity;
    if (!isUnitStart) {
      if (this.#bytes) this.#read(Buffer.concat([this.#bytes, payload]), onSection);
      return;
    }
    const pointer = payload[0] ?? 0;
    if (this.#bytes) this.#read(Buffer.concat([this.#bytes, payload.subarray(1, 1 + pointer)]), onSection);
    this.#read(payload.subarray(1 + pointer), onSection);
  }

  /** Continuity counters begin anew. */
  reset(): void {
    this.#bytes = undefined;
    this.#lastContinuity = -1;
  }

  #read(bytes: Buffer, onSection: (section: Buffer) => void): void {
    let at = 0;
    // 0xff fills up the rest of a packet.
    while (at < bytes.length && bytes[at] !== 0xff) {
      if (at + 3 > bytes.length) break;
      const end = at + 3 + (bytes.readUInt16BE(at + 1) & 0x0fff);
      if (end - at > maxSectionBytes || end - at < 12) {
        at = bytes.length; // no such table: what follows cannot be found either
        break;
      }
      if (end > bytes.length) break;
      if (crc32(bytes.subarray(at, end)) === 0) onSection(Buffer.from(bytes.subarray(at, end - 4)));
      else this.damaged += 1;
      at = end;
    }
    const isMore = at < bytes.length && bytes[at] !== 0xff;
    this.#bytes = isMore ? Buffer.from(bytes.subarray(at)) : undefined;
  }
}

/** @returns PIDs of program maps in their order, without the network's; undefined when it is none that holds now */
export function parsePat(section: Buffer): number[] | undefined {
  if (section[0] !== tableId.pat || !isCurrent(section)) return undefined;
  const pids: number[] = [];
  for (let at = 8; at + 4 <= section.length && pids.length < maxPrograms; at += 4) {
    if (section.readUInt16BE(at) !== 0) pids.push(section.readUInt16BE(at + 2) & 0x1fff);
  }
  return pids;
}

/** @returns undefined when it is none that holds now */
export function parsePmt(section: Buffer): ProgramMap | undefined {
  if (section[0] !== tableId.pmt || !isCurrent(section) || section.length < 12) return undefined;
  const streams: ElementaryStream[] = [];
  let at = 12 + (section.readUInt16BE(10) & 0x0fff);
  while (at + 5 <= section.length && streams.length < maxElementaryStreams) {
    const end = at + 5 + (section.readUInt16BE(at + 3) & 0x0fff);
    streams.push({
      streamType: section[at] ?? 0,
      pid: section.readUInt16BE(at + 1) & 0x1fff,
      descriptors: parseDescriptors(section.subarray(at + 5, end)),
    });
    at = end;
  }
  return { streams };
}

/** current_next_indicator: the next one is announced before it holds. */
function isCurrent(section: Buffer): boolean {
  return section.length >= 8 && ((section[5] ?? 0) & 1) === 1;
}

function parseDescriptors(bytes: Buffer): Descriptor[] {
  const descriptors: Descriptor[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const end = at + 2 + (bytes[at + 1] ?? 0);
    if (end > bytes.length) break;
    descriptors.push({ tag: bytes[at] ?? 0, data: bytes.subarray(at + 2, end) });
    at = end;
  }
  return descriptors;
}

/**
 * CRC of ISO/IEC 13818-1 annex A: polynomial 0x04c11db7, all ones at first, nothing reflected.
 * @returns 0 over a section that has its own at the end
 */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = ((crc << 8) ^ (crcTable[((crc >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0;
  return crc;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});
