// Owns: AAC in LATM/LOAS (ISO/IEC 14496-3 §1.7), as broadcasters send it: one program, one layer. May import: its
// neighbours.
import { aacSampleRatesHz } from './adts.ts';
import type { AudioFormat, FrameHeader } from './audio-frames.ts';

const headerBytes = 3;

/** Remembers the configuration, which is not in every frame. */
export class LatmReader {
  #format: AudioFormat | undefined;

  parse(bytes: Buffer, at: number): FrameHeader | 'more' | undefined {
    if (bytes[at] !== 0x56) return undefined;
    if (at + headerBytes > bytes.length) return 'more';
    const word = bytes.readUIntBE(at, 3);
    if (word >> 13 !== 0x2b7) return undefined;
    const frameBytes = headerBytes + (word & 0x1fff);
    if (at + frameBytes > bytes.length) return 'more';
    const frame = this.#readElement(bytes.subarray(at + headerBytes, at + frameBytes));
    const format = this.#format;
    if (!format) return undefined;
    return {
      format,
      frameBytes,
      durationUs: (1_024 * 1_000_000) / format.sampleRateHz,
      payload: frame ? { from: headerBytes + frame.from, to: headerBytes + frame.to } : undefined,
    };
  }

  /**
   * AudioMuxElement(1), table 1.41. The payload does not begin at a whole byte: it is moved to one, in place.
   * @returns where it lies then; undefined when it is of a kind that is not read here
   */
  #readElement(element: Buffer): { from: number; to: number } | undefined {
    const bits = new Bits(element);
    const isSameConfig = bits.read(1) === 1;
    if (!isSameConfig) {
      const format = readConfig(bits);
      if (!format) return undefined;
      this.#format = format;
    }
    let length = 0;
    for (let byte = 255; byte === 255 && !bits.isExhausted; ) {
      byte = bits.read(8);
      length += byte;
    }
    const from = bits.position >> 3;
    if (length === 0 || bits.position + length * 8 > element.length * 8) return undefined;
    for (let index = 0; index < length; index++) element[from + index] = bits.read(8);
    return { from, to: from + length };
  }
}

/** StreamMuxConfig, table 1.42, of audioMuxVersion 0 with one program, one layer and one frame. */
function readConfig(bits: Bits): AudioFormat | undefined {
  const isPlain = bits.read(1) === 0 && bits.read(1) === 1 && bits.read(6) === 0 && bits.read(4) === 0;
  if (!isPlain || bits.read(3) !== 0) return undefined;
  const start = bits.position;
  const format = readAudioSpecificConfig(bits);
  if (!format) return undefined;
  const config = bits.copy(start, bits.position);
  if (bits.read(3) !== 0) return undefined; // frameLengthType: how long a frame is, is said with each
  bits.read(8); // latmBufferFullness
  if (bits.read(1) === 1) for (let isMore = 1; isMore === 1 && !bits.isExhausted; bits.read(8)) isMore = bits.read(1);
  if (bits.read(1) === 1) bits.read(8); // crcCheckSum
  return bits.isExhausted ? undefined : { ...format, config };
}

/** §1.6.2.1 as far as AAC and its spectral band replication go. */
function readAudioSpecificConfig(bits: Bits): Omit<AudioFormat, 'config'> | undefined {
  let objectType = bits.read(5);
  let sampleRateHz = readRate(bits);
  const channelConfig = bits.read(4);
  if (objectType === 5 || objectType === 29) {
    sampleRateHz = readRate(bits) && sampleRateHz;
    objectType = bits.read(5);
  }
  if (objectType < 1 || objectType > 4 || !sampleRateHz || channelConfig === 0) return undefined;
  bits.read(1); // frameLengthFlag
  if (bits.read(1) === 1) bits.read(14); // dependsOnCoreCoder
  if (bits.read(1) === 1) return undefined; // extensionFlag
  return { codec: 'aac', sampleRateHz, channels: channelConfig === 7 ? 8 : channelConfig };
}

function readRate(bits: Bits): number | undefined {
  const index = bits.read(4);
  return index === 15 ? bits.read(24) : aacSampleRatesHz[index];
}

/** Past the end it reads zeros. */
class Bits {
  readonly #bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isExhausted(): boolean {
    return this.position > this.#bytes.length * 8;
  }

  read(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++, this.position++) {
      value = value * 2 + (((this.#bytes[this.position >> 3] ?? 0) >> (7 - (this.position & 7))) & 1);
    }
    return value;
  }

  /** @returns the bits from one position to another, filled up to whole bytes */
  copy(from: number, to: number): Buffer {
    const reader = new Bits(this.#bytes);
    reader.position = from;
    const copy = Buffer.alloc(Math.ceil((to - from) / 8));
    for (let index = 0; index < copy.length; index++) {
      const count = Math.min(8, to - reader.position);
      copy[index] = reader.read(count) << (8 - count);
    }
    return copy;
  }
}
