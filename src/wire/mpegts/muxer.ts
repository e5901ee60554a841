// Owns: making an MPEG transport stream of one program: H264 or H265 and AAC, units in, whole packets out. Pure.
// May import: its neighbours.
import { crc32 } from './sections.ts';

export const tsPacketBytes = 188;

const pid = { pat: 0, pmt: 0x1000, video: 0x100, audio: 0x101 } as const;
const streamTypes = { h264: 27, h265: 36, aac: 15 } as const;
const streamIds = { video: 0xe0, audio: 0xc0 } as const;
const syncByte = 0x47;
/** Tables come so often, so that who joins need not wait. */
const tableIntervalUs = 100_000;
/** What is decoded lies so much after the clock: sound may come a little later than the pictures beside it. */
const delayUs = 400_000;
/** Access unit delimiters, which players look for to find where a picture begins (H.264 §7.3.2.4, H.265 §7.3.2.5). */
const delimiters = {
  h264: Buffer.from([0, 0, 0, 1, 0x09, 0xf0]),
  h265: Buffer.from([0, 0, 0, 1, 0x46, 0x01, 0x50]),
} as const;

export interface TsMuxerOptions {
  readonly video?: 'h264' | 'h265' | undefined;
  /** AudioSpecificConfig of AAC. */
  readonly audioConfig?: Uint8Array | undefined;
}

export interface TsUnit {
  readonly kind: 'audio' | 'video';
  readonly ptsUs: number;
  readonly dtsUs: number;
  readonly isKey: boolean;
  /** Pictures as Annex B, sound as a bare frame. */
  readonly data: Uint8Array;
}

export class TsMuxer {
  readonly #options: TsMuxerOptions;
  readonly #pat: Buffer;
  readonly #pmt: Buffer;
  readonly #continuity = new Map<number, number>();
  #lastTablesUs = Number.NEGATIVE_INFINITY;

  constructor(options: TsMuxerOptions) {
    this.#options = options;
    this.#pat = section(0, 1, Buffer.from([0, 1, 0xe0 | (pid.pmt >> 8), pid.pmt & 0xff]));
    this.#pmt = section(2, 1, this.#programMap());
  }

  /** @param unit time stamps on one clock for both kinds. @returns whole packets of 188 bytes */
  write(unit: TsUnit): Buffer {
    const packets: Buffer[] = [];
    const isDue = unit.dtsUs - this.#lastTablesUs >= tableIntervalUs || (unit.kind === 'video' && unit.isKey);
    if (isDue) {
      this.#lastTablesUs = unit.dtsUs;
      packets.push(this.#table(pid.pat, this.#pat), this.#table(pid.pmt, this.#pmt));
    }
    this.#split(unit, packets);
    return Buffer.concat(packets);
  }

  get #clockPid(): number {
    return this.#options.video ? pid.video : pid.audio;
  }

  #programMap(): Buffer {
    const { video, audioConfig } = this.#options;
    const stream = (type: number, at: number) => Buffer.from([type, 0xe0 | (at >> 8), at & 0xff, 0xf0, 0]);
    return Buffer.concat([
      Buffer.from([0xe0 | (this.#clockPid >> 8), this.#clockPid & 0xff, 0xf0, 0]),
      ...(video ? [stream(streamTypes[video], pid.video)] : []),
      ...(audioConfig ? [stream(streamTypes.aac, pid.audio)] : []),
    ]);
  }

  #table(at: number, bytes: Buffer): Buffer {
    const packet = Buffer.alloc(tsPacketBytes, 0xff);
    this.#header(at, true, false).copy(packet);
    packet[4] = 0; // pointer_field: the section begins at once
    bytes.copy(packet, 5);
    return packet;
  }

  #split(unit: TsUnit, packets: Buffer[]): void {
    const at = unit.kind === 'video' ? pid.video : pid.audio;
    const bytes = this.#pes(unit);
    for (let offset = 0; offset < bytes.length; ) {
      const isFirst = offset === 0;
      const clock = isFirst && at === this.#clockPid ? clockField(unit.dtsUs, unit.isKey) : undefined;
      const room = tsPacketBytes - 4 - (clock ? clock.length : 0);
      const length = Math.min(room, bytes.length - offset);
      const field = stuffed(clock, room - length);
      packets.push(this.#header(at, isFirst, field.length > 0), field, bytes.subarray(offset, offset + length));
      offset += length;
    }
  }

  #header(at: number, isStart: boolean, hasField: boolean): Buffer {
    const continuity = ((this.#continuity.get(at) ?? -1) + 1) & 0x0f;
    this.#continuity.set(at, continuity);
    return Buffer.from([syncByte, (isStart ? 0x40 : 0) | (at >> 8), at & 0xff, (hasField ? 0x30 : 0x10) | continuity]);
  }

  /** ISO/IEC 13818-1 §2.4.3.6. */
  #pes({ kind, ptsUs, dtsUs, data }: TsUnit): Buffer {
    const { video, audioConfig } = this.#options;
    const before = kind === 'video' && video ? delimiters[video] : adtsHeader(audioConfig, data.length);
    const hasDts = dtsUs !== ptsUs;
    const pts = stamp(hasDts ? 3 : 2, ptsUs + delayUs);
    const times = hasDts ? Buffer.concat([pts, stamp(1, dtsUs + delayUs)]) : pts;
    const length = 3 + times.length + before.length + data.length;
    // Pictures may be longer than the field can say; 0 is allowed for them.
    const said = kind === 'video' || length > 0xffff ? 0 : length;
    const head = [0, 0, 1, streamIds[kind], said >> 8, said & 0xff, 0x84, hasDts ? 0xc0 : 0x80, times.length];
    return Buffer.concat([Buffer.from(head), times, before, data]);
  }
}

/** A section of a table with its header and checksum, §2.4.4. */
function section(tableId: number, id: number, body: Buffer): Buffer {
  const length = 5 + body.length + 4;
  const head = Buffer.from([tableId, 0xb0 | (length >> 8), length & 0xff, id >> 8, id & 0xff, 0xc1, 0, 0]);
  const bytes = Buffer.concat([head, body]);
  const crc = Buffer.allocUnsafe(4);
  crc.writeUInt32BE(crc32(bytes));
  return Buffer.concat([bytes, crc]);
}

/** An adaptation field with the program clock, §2.4.3.4; its first byte is its length. */
function clockField(clockUs: number, isRandomAccess: boolean): Buffer {
  const field = Buffer.alloc(8);
  field[0] = 7;
  field[1] = 0x10 | (isRandomAccess ? 0x40 : 0);
  const base = ticksOf(clockUs);
  field.writeUInt32BE(Math.floor(base / 2), 2);
  field.writeUInt16BE(((base % 2) << 15) | 0x7e00, 6);
  return field;
}

/** @param count bytes by which it is to be longer */
function stuffed(field: Buffer | undefined, count: number): Buffer {
  if (count === 0) return field ?? Buffer.alloc(0);
  if (field) {
    const longer = Buffer.concat([field, Buffer.alloc(count, 0xff)]);
    longer[0] = longer.length - 1;
    return longer;
  }
  if (count === 1) return Buffer.from([0]);
  return Buffer.concat([Buffer.from([count - 1, 0]), Buffer.alloc(count - 2, 0xff)]);
}

/** 90 kHz in 33 bits. */
function ticksOf(timeUs: number): number {
  const ticks = Math.round((timeUs * 9) / 100) % 2 ** 33;
  return ticks < 0 ? ticks + 2 ** 33 : ticks;
}

/** A time stamp of a PES header, in five bytes with marker bits. */
function stamp(prefix: number, timeUs: number): Buffer {
  const ticks = ticksOf(timeUs);
  const high = Math.floor(ticks / 2 ** 30) & 7;
  const middle = Math.floor(ticks / 2 ** 15) & 0x7fff;
  const low = ticks & 0x7fff;
  const bytes = Buffer.alloc(5);
  bytes[0] = (prefix << 4) | (high << 1) | 1;
  bytes.writeUInt16BE((middle << 1) | 1, 1);
  bytes.writeUInt16BE((low << 1) | 1, 3);
  return bytes;
}

/** ADTS, ISO/IEC 14496-3 §1.A.2.2.1; the object type there is one less. */
function adtsHeader(config: Uint8Array | undefined, length: number): Buffer {
  const bits = ((config?.[0] ?? 0) << 8) | (config?.[1] ?? 0);
  const profile = ((bits >> 11) & 0x1f) - 1;
  const rateIndex = (bits >> 7) & 0x0f;
  const channels = (bits >> 3) & 0x0f;
  const size = length + 7;
  return Buffer.from([
    0xff,
    0xf1,
    ((profile & 3) << 6) | (rateIndex << 2) | (channels >> 2),
    ((channels & 3) << 6) | (size >> 11),
    (size >> 3) & 0xff,
    ((size & 7) << 5) | 0x1f,
    0xfc,
  ]);
}
