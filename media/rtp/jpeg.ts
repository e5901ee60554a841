// Owns: JPEG pictures out of RTP (RFC 2435), whose tables are not in the packets and have to be written again.
import type { Depacketiser, OnFrame } from './depacketise.ts';
import type { RtpPacket } from './packet.ts';
import { seqDistance } from './sequence.ts';

const maxFrameBytes = 8 * 1024 * 1024;

interface JpegHead {
  readonly type: number;
  readonly width: number;
  readonly height: number;
  readonly restartInterval: number;
  readonly tables: Uint8Array;
}

export class JpegDepacketiser implements Depacketiser {
  #head: JpegHead | undefined;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #timestamp = 0;
  #lastSequence: number | undefined;
  /** Tables of a quality above 127 are sent once and remembered. */
  readonly #sentTables = new Map<number, Uint8Array>();

  push(packet: RtpPacket, onFrame: OnFrame): void {
    const hasGap = this.#lastSequence !== undefined && seqDistance(packet.sequenceNumber, this.#lastSequence) !== 1;
    this.#lastSequence = packet.sequenceNumber;
    if (hasGap || packet.timestamp !== this.#timestamp) this.#drop();
    this.#timestamp = packet.timestamp;
    if (!this.#read(packet.payload)) this.#drop();
    if (!packet.marker) return;
    if (this.#head) {
      const data = Buffer.concat([jpegHeader(this.#head), ...this.#parts, endOfImage]);
      onFrame({ data, timestamp: packet.timestamp, isKey: true, isDamaged: false });
    }
    this.#drop();
  }

  #drop(): void {
    this.#head = undefined;
    this.#parts = [];
    this.#bytes = 0;
  }

  /** @returns false when the packet does not fit what came before */
  #read(payload: Uint8Array): boolean {
    if (payload.length < 9) return false;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const fragmentOffset = view.getUint32(0) & 0xffffff;
    const type = view.getUint8(4);
    const quality = view.getUint8(5);
    let offset = 8;
    let restartInterval = 0;
    if (type >= 64 && type <= 127) {
      if (payload.length < 12) return false;
      restartInterval = view.getUint16(8);
      offset = 12;
    }
    if (fragmentOffset !== this.#bytes) return false;
    if (fragmentOffset === 0) {
      const { tables, length } = this.#readTables(view, offset, quality);
      if (!tables) return false;
      offset += length;
      const [width, height] = [view.getUint8(6) * 8, view.getUint8(7) * 8];
      if ((type & 63) > 1 || width === 0 || height === 0) return false;
      this.#head = { type: type & 63, width, height, restartInterval, tables };
    } else if (!this.#head) {
      return false;
    }
    const data = payload.subarray(offset);
    this.#bytes += data.length;
    if (this.#bytes > maxFrameBytes) return false;
    this.#parts.push(data);
    return true;
  }

  #readTables(view: DataView, offset: number, quality: number): { tables: Uint8Array | undefined; length: number } {
    if (quality < 128) return { tables: tablesOf(quality), length: 0 };
    if (offset + 4 > view.byteLength) return { tables: undefined, length: 0 };
    const length = view.getUint16(offset + 2);
    if (length === 0) return { tables: this.#sentTables.get(quality), length: 4 };
    // 8 bit precision, a table for luma and one for chroma or one for both, is all there is in the field.
    if ((length !== 64 && length !== 128) || offset + 4 + length > view.byteLength)
      return { tables: undefined, length: 0 };
    const sent = new Uint8Array(view.buffer, view.byteOffset + offset + 4, length);
    const tables = new Uint8Array(128);
    tables.set(sent);
    if (length === 64) tables.set(sent, 64);
    if (quality !== 255) this.#sentTables.set(quality, tables);
    return { tables, length: 4 + length };
  }
}

const endOfImage = Buffer.from([0xff, 0xd9]);

/** RFC 2435 appendix A, in zigzag order. */
const lumaQuantizer = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
  60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
  112, 100, 120, 92, 101, 103, 99,
];
const chromaQuantizer = [
  17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99,
];

function tablesOf(quality: number): Uint8Array {
  const q = Math.max(1, Math.min(99, quality));
  const scale = q < 50 ? 5_000 / q : 200 - q * 2;
  const scaled = [...lumaQuantizer, ...chromaQuantizer].map((value) =>
    Math.max(1, Math.min(255, Math.floor((value * scale + 50) / 100))),
  );
  return Uint8Array.from(scaled);
}

/** ITU T.81 annex K: the Huffman tables that RFC 2435 takes as given. */
const huffman = {
  lumaDc: {
    lengths: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    symbols: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  },
  chromaDc: {
    lengths: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    symbols: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  },
  lumaAc: {
    lengths: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
    symbols: hexBytes(
      '01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a' +
        '434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aa' +
        'b2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa',
    ),
  },
  chromaAc: {
    lengths: [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
    symbols: hexBytes(
      '0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a' +
        '434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9' +
        'aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa',
    ),
  },
};

function hexBytes(text: string): number[] {
  return [...Buffer.from(text.replaceAll(' ', ''), 'hex')];
}

function segment(marker: number, ...bytes: readonly number[]): number[] {
  const length = bytes.length + 2;
  return [0xff, marker, length >> 8, length & 0xff, ...bytes];
}

function huffmanSegment(id: number, table: { lengths: readonly number[]; symbols: readonly number[] }): number[] {
  return segment(0xc4, id, ...table.lengths, ...table.symbols);
}

/** RFC 2435 appendix B. */
function jpegHeader({ type, width, height, restartInterval, tables }: JpegHead): Buffer {
  // Type 0 is 4:2:2, type 1 is 4:2:0.
  const lumaSampling = type === 0 ? 0x21 : 0x22;
  return Buffer.from([
    ...[0xff, 0xd8],
    ...segment(0xdb, 0, ...tables.subarray(0, 64)),
    ...segment(0xdb, 1, ...tables.subarray(64, 128)),
    ...(restartInterval > 0 ? segment(0xdd, restartInterval >> 8, restartInterval & 0xff) : []),
    ...segment(
      0xc0,
      8,
      height >> 8,
      height & 0xff,
      width >> 8,
      width & 0xff,
      3,
      0,
      lumaSampling,
      0,
      1,
      0x11,
      1,
      2,
      0x11,
      1,
    ),
    ...huffmanSegment(0x00, huffman.lumaDc),
    ...huffmanSegment(0x10, huffman.lumaAc),
    ...huffmanSegment(0x01, huffman.chromaDc),
    ...huffmanSegment(0x11, huffman.chromaAc),
    ...segment(0xda, 3, 0, 0x00, 1, 0x11, 2, 0x11, 0, 63, 0),
  ]);
}
