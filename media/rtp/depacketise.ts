// Owns: putting frames together again from RTP payloads, for every codec that a camera or a room sends.
import { h264Nal, h264NalType, toAnnexB } from './h264.ts';
import type { RtpPacket } from './packet.ts';
import { seqDistance } from './sequence.ts';

export interface RtpFrame {
  /** H264 and H265 as Annex B; everything else as its bare frame. The receiver's own. */
  readonly data: Buffer;
  /** RTP timestamp of the frame. */
  readonly timestamp: number;
  /** As far as the payload says; true for audio. */
  readonly isKey: boolean;
  /** Something of it was lost. */
  readonly isDamaged: boolean;
}

export type OnFrame = (frame: RtpFrame) => void;

/** Takes packets in order (a jitter buffer's task); a gap damages the frame that it lies in. */
export interface Depacketiser {
  push(packet: RtpPacket, onFrame: OnFrame): void;
}

/** What one frame may take, so that a sender without markers does not fill the memory. */
const maxFrameBytes = 8 * 1024 * 1024;
/** Each costs more to keep than the byte that may be in it: so many packets, and so many parts. */
const maxFrameParts = 32_768;

/** Collects parts until the marker or the next timestamp. */
export abstract class FrameDepacketiser implements Depacketiser {
  #parts: Uint8Array[] = [];
  /** Of all its packets, whatever became of them: fragments may have no end. */
  #bytes = 0;
  #packets = 0;
  #timestamp: number | undefined;
  #lastSequence: number | undefined;
  #isDamaged = false;
  #isKey = false;

  push(packet: RtpPacket, onFrame: OnFrame): void {
    let lost = this.#lastSequence === undefined ? 0 : seqDistance(packet.sequenceNumber, this.#lastSequence) - 1;
    this.#lastSequence = packet.sequenceNumber;
    if (this.#timestamp !== undefined && this.#timestamp !== packet.timestamp) {
      // No marker was seen: of what was lost, one at least belonged to the frame that ends here.
      if (lost !== 0) {
        this.#damage();
        lost -= Math.sign(lost);
      }
      this.#finish(onFrame);
    }
    this.#timestamp = packet.timestamp;
    if (lost !== 0) this.#damage();
    this.#packets += 1;
    this.#bytes += packet.payload.length;
    if (this.#bytes > maxFrameBytes || this.#packets > maxFrameParts) this.#damage();
    else if (packet.payload.length > 0 && !this.read(packet.payload)) this.#isDamaged = true;
    if (packet.marker) this.#finish(onFrame);
  }

  /** Takes one payload apart and calls `add` and `markKey`. @returns false when something is wrong or missing in it */
  protected abstract read(payload: Uint8Array): boolean;
  /** Drops what a fragment had begun. */
  protected abstract reset(): void;

  protected join(parts: readonly Uint8Array[]): Buffer {
    return Buffer.concat(parts);
  }

  protected add(part: Uint8Array): void {
    if (this.#parts.length < maxFrameParts) this.#parts.push(part);
    else this.#damage();
  }

  protected get partCount(): number {
    return this.#parts.length;
  }

  protected markKey(): void {
    this.#isKey = true;
  }

  #damage(): void {
    this.#isDamaged = true;
    this.reset();
  }

  #finish(onFrame: OnFrame): void {
    const timestamp = this.#timestamp ?? 0;
    if (this.#parts.length > 0) {
      onFrame({ data: this.join(this.#parts), timestamp, isKey: this.#isKey, isDamaged: this.#isDamaged });
    }
    this.#parts = [];
    this.#bytes = 0;
    this.#packets = 0;
    this.#timestamp = undefined;
    this.#isDamaged = false;
    this.#isKey = false;
    this.reset();
  }
}

/** RFC 6184, modes 0 and 1. */
export class H264Depacketiser extends FrameDepacketiser {
  #fragments: Uint8Array[] = [];

  protected override read(payload: Uint8Array): boolean {
    const type = h264NalType(payload);
    if (type === 24) return this.#readAggregate(payload);
    if (type === 28) return this.#readFragment(payload);
    if (type < 1 || type > 23) return false;
    this.#addNal(payload);
    return true;
  }

  protected override reset(): void {
    this.#fragments = [];
  }

  protected override join(parts: readonly Uint8Array[]): Buffer {
    return toAnnexB(parts);
  }

  #addNal(nal: Uint8Array): void {
    if (h264NalType(nal) === h264Nal.idr) this.markKey();
    this.add(nal);
  }

  #readAggregate(payload: Uint8Array): boolean {
    for (let offset = 1; offset + 2 <= payload.length; ) {
      const length = ((payload[offset] ?? 0) << 8) | (payload[offset + 1] ?? 0);
      offset += 2;
      if (length === 0 || offset + length > payload.length) return false;
      this.#addNal(payload.subarray(offset, offset + length));
      offset += length;
    }
    return true;
  }

  #readFragment(payload: Uint8Array): boolean {
    if (payload.length < 3) return false;
    const [indicator = 0, header = 0] = payload;
    if (header & 0x80) this.#fragments = [Uint8Array.of((indicator & 0xe0) | (header & 0x1f))];
    // The beginning was lost: the rest is worth nothing.
    else if (this.#fragments.length === 0) return false;
    this.#fragments.push(payload.subarray(2));
    if (!(header & 0x40)) return true;
    const nal = Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.#addNal(nal);
    return true;
  }
}

/** RFC 7798, without DONL. */
export class H265Depacketiser extends FrameDepacketiser {
  #fragments: Uint8Array[] = [];

  protected override read(payload: Uint8Array): boolean {
    if (payload.length < 3) return false;
    const type = ((payload[0] ?? 0) >> 1) & 0x3f;
    if (type === 48) return this.#readAggregate(payload);
    if (type === 49) return this.#readFragment(payload);
    if (type > 47) return false;
    this.#addNal(payload);
    return true;
  }

  protected override reset(): void {
    this.#fragments = [];
  }

  protected override join(parts: readonly Uint8Array[]): Buffer {
    return toAnnexB(parts);
  }

  #addNal(nal: Uint8Array): void {
    const type = ((nal[0] ?? 0) >> 1) & 0x3f;
    if (type >= 16 && type <= 21) this.markKey();
    this.add(nal);
  }

  #readAggregate(payload: Uint8Array): boolean {
    for (let offset = 2; offset + 2 <= payload.length; ) {
      const length = ((payload[offset] ?? 0) << 8) | (payload[offset + 1] ?? 0);
      offset += 2;
      if (length < 2 || offset + length > payload.length) return false;
      this.#addNal(payload.subarray(offset, offset + length));
      offset += length;
    }
    return true;
  }

  #readFragment(payload: Uint8Array): boolean {
    if (payload.length < 4) return false;
    const [first = 0, second = 0, header = 0] = payload;
    if (header & 0x80) this.#fragments = [Uint8Array.of((first & 0x81) | ((header & 0x3f) << 1), second)];
    else if (this.#fragments.length === 0) return false;
    this.#fragments.push(payload.subarray(3));
    if (!(header & 0x40)) return true;
    const nal = Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.#addNal(nal);
    return true;
  }
}

/** RFC 7741. */
export class Vp8Depacketiser extends FrameDepacketiser {
  protected override read(payload: Uint8Array): boolean {
    const first = payload[0] ?? 0;
    let offset = 1;
    if (first & 0x80) {
      const extensions = payload[offset++] ?? 0;
      if (extensions & 0x80) offset += (payload[offset] ?? 0) & 0x80 ? 2 : 1;
      if (extensions & 0x40) offset += 1;
      if (extensions & 0x30) offset += 1;
    }
    if (offset >= payload.length) return false;
    const isStart = (first & 0x10) !== 0 && (first & 0x07) === 0;
    if (this.partCount === 0 && !isStart) return false;
    // The inverse key frame flag, RFC 6386 §9.1.
    if (this.partCount === 0 && ((payload[offset] ?? 1) & 1) === 0) this.markKey();
    this.add(payload.subarray(offset));
    return true;
  }

  protected override reset(): void {
    // Nothing is held outside the frame.
  }
}

/** RFC 9628. The spatial layers of one moment come out as one superframe. */
export class Vp9Depacketiser extends FrameDepacketiser {
  /** Which parts begin a layer's frame. */
  #starts: number[] = [];

  protected override read(payload: Uint8Array): boolean {
    const first = payload[0] ?? 0;
    const isFlexible = (first & 0x10) !== 0;
    let offset = 1;
    if (first & 0x80) offset += (payload[offset] ?? 0) & 0x80 ? 2 : 1;
    if (first & 0x20) offset += isFlexible ? 1 : 2;
    if (isFlexible && first & 0x40) {
      for (let i = 0; i < 3; i++) if (((payload[offset++] ?? 0) & 1) === 0) break;
    }
    if (first & 0x02) offset += scalabilityStructureLength(payload, offset);
    if (offset >= payload.length) return false;
    const isStart = (first & 0x08) !== 0;
    if (this.partCount === 0 && !isStart) return false;
    if (this.partCount === 0 && (first & 0x40) === 0) this.markKey();
    if (isStart) this.#starts.push(this.partCount);
    this.add(payload.subarray(offset));
    return this.#starts.length <= maxSuperframe;
  }

  protected override reset(): void {
    this.#starts = [];
  }

  protected override join(parts: readonly Uint8Array[]): Buffer {
    const frames = this.#starts.map((start, n) => Buffer.concat(parts.slice(start, this.#starts[n + 1])));
    return frames.length > 1 && frames.length <= maxSuperframe ? superframe(frames) : Buffer.concat(parts);
  }
}

const maxSuperframe = 8;

/** VP9 bitstream specification, annex B: an index of sizes behind the frames, between two equal markers. */
function superframe(frames: readonly Buffer[]): Buffer {
  const marker = Uint8Array.of(0xc0 | (3 << 3) | (frames.length - 1));
  const sizes = Buffer.alloc(4 * frames.length);
  for (const [n, { length }] of frames.entries()) sizes.writeUInt32LE(length, 4 * n);
  return Buffer.concat([...frames, marker, sizes, marker]);
}

/** RFC 9628 §4.2.1. */
function scalabilityStructureLength(payload: Uint8Array, start: number): number {
  const head = payload[start] ?? 0;
  let length = 1;
  if (head & 0x10) length += 4 * ((head >> 5) + 1);
  if (head & 0x08) {
    const groups = payload[start + length++] ?? 0;
    for (let i = 0; i < groups && start + length < payload.length; i++) {
      length += 1 + (((payload[start + length] ?? 0) >> 2) & 3);
    }
  }
  return length;
}

/** RFC 6416 §5: the frame as it is, cut anywhere. */
export class Mpeg4Depacketiser extends FrameDepacketiser {
  protected override read(payload: Uint8Array): boolean {
    this.add(payload);
    return true;
  }

  protected override reset(): void {
    // Nothing is held outside the frame.
  }
}

/** One packet, one or more whole frames of a codec that decodes them as one: Opus, G.711, G.722, G.726, L16. */
export class PlainDepacketiser implements Depacketiser {
  push({ payload, timestamp }: RtpPacket, onFrame: OnFrame): void {
    if (payload.length > 0) onFrame({ data: Buffer.from(payload), timestamp, isKey: true, isDamaged: false });
  }
}

export interface Mpeg4GenericOptions {
  readonly sizeLength: number;
  readonly indexLength: number;
  readonly indexDeltaLength: number;
  /** Ticks of one access unit: 1024 for AAC-LC. */
  readonly unitDuration: number;
}

/** AAC as MPEG4-GENERIC, RFC 3640 §3.2 and §3.3.6. */
export class Mpeg4GenericDepacketiser implements Depacketiser {
  readonly #options: Mpeg4GenericOptions;
  #fragment: { timestamp: number; size: number; parts: Uint8Array[]; bytes: number } | undefined;

  constructor(options: Mpeg4GenericOptions) {
    this.#options = options;
  }

  push({ payload, timestamp }: RtpPacket, onFrame: OnFrame): void {
    const { sizeLength, indexLength, indexDeltaLength, unitDuration } = this.#options;
    if (payload.length < 3) return;
    const headerBits = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
    let offset = 2 + Math.ceil(headerBits / 8);
    if (offset > payload.length) return;
    let bit = 16;
    for (let unit = 0; bit + sizeLength <= 16 + headerBits; unit++) {
      const size = readBits(payload, bit, sizeLength);
      bit += sizeLength + (unit === 0 ? indexLength : indexDeltaLength);
      const data = payload.subarray(offset, offset + size);
      offset += size;
      if (data.length === 0) return;
      const unitTimestamp = (timestamp + unit * unitDuration) >>> 0;
      if (data.length === size) this.#emit(data, unitTimestamp, onFrame);
      else this.#collect(data, size, unitTimestamp, onFrame);
    }
  }

  #emit(data: Uint8Array, timestamp: number, onFrame: OnFrame): void {
    this.#fragment = undefined;
    onFrame({ data: Buffer.from(data), timestamp, isKey: true, isDamaged: false });
  }

  /** A unit larger than a packet comes in several of the same timestamp, each with the whole size. */
  #collect(data: Uint8Array, size: number, timestamp: number, onFrame: OnFrame): void {
    if (this.#fragment?.timestamp !== timestamp || this.#fragment.size !== size) {
      this.#fragment = { timestamp, size, parts: [], bytes: 0 };
    }
    this.#fragment.parts.push(data);
    this.#fragment.bytes += data.length;
    if (this.#fragment.bytes >= size) this.#emit(Buffer.concat(this.#fragment.parts, size), timestamp, onFrame);
  }
}

function readBits(data: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let i = start; i < start + count; i++) value = value * 2 + (((data[i >> 3] ?? 0) >> (7 - (i & 7))) & 1);
  return value;
}
