// Owns: RTMP's chunk stream (RTMP 1.0 §5.3): messages cut into chunks and back. Pure. May import: core/errors.
import { GatewayError } from '#core/errors.ts';

export interface RtmpMessage {
  /** Chunk streams only interleave; they mean nothing beyond that. */
  readonly chunkStreamId: number;
  readonly type: number;
  /** Message stream: 0 for the connection, else what createStream gave. */
  readonly streamId: number;
  /** Milliseconds, modulo 2^32. */
  readonly timestamp: number;
  readonly payload: Buffer;
}

export interface ChunkLimits {
  /** How many chunk streams one peer may use; encoders use about four. */
  readonly maxChunkStreams: number;
  readonly maxMessageBytes: number;
  /** Of all begun messages together. */
  readonly maxBufferedBytes: number;
}

/** A key frame of 4K video has less than 4 MB. */
export const defaultChunkLimits: ChunkLimits = {
  maxChunkStreams: 32,
  maxMessageBytes: 8 * 1_048_576,
  maxBufferedBytes: 12 * 1_048_576,
};

const initialChunkBytes = 128;
const firstAllocationBytes = 16_384;
/** A timestamp field of this value says that the real one follows in four more bytes (§5.3.1.3). */
const extended = 0xffffff;

interface ChunkStream {
  type: number;
  streamId: number;
  timestamp: number;
  /** The timestamp field of the last header: absolute in type 0, a difference in 1 and 2. */
  field: number;
  isExtended: boolean;
  messageLength: number;
  /** Grows with what arrives, so that a header that promises 16 MB costs nothing. */
  payload: Buffer;
  received: number;
  isReceiving: boolean;
}

/** Puts messages together again. Feed with `write`, then `read` until it has no more: reading may stop in between. */
export class ChunkReader {
  #limits: ChunkLimits;
  readonly #streams = new Map<number, ChunkStream>();
  #input: Buffer = Buffer.alloc(0);
  #offset = 0;
  #chunkBytes = initialChunkBytes;
  #bufferedBytes = 0;
  /** The chunk whose payload is arriving, and how much of it is missing. */
  #current: { stream: ChunkStream; id: number; missing: number } | undefined;

  constructor(limits: ChunkLimits = defaultChunkLimits) {
    this.#limits = limits;
  }

  /** For what comes from now on: a peer that has proved itself may send more. */
  setLimits(limits: ChunkLimits): void {
    this.#limits = limits;
  }

  /** Bytes kept for messages that have begun. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** @throws GatewayError `invalid_request` for a size that the RTMP specification rules out (§5.4.1) */
  setChunkSize(bytes: number): void {
    if (bytes < 1 || bytes > 0x7fffffff) throw broken(`a chunk size of ${bytes}`);
    this.#chunkBytes = bytes;
  }

  write(data: Buffer): void {
    const rest = this.#input.subarray(this.#offset);
    this.#input = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    this.#offset = 0;
  }

  /**
   * @returns the next whole message, whose payload the caller may keep; undefined when more bytes are needed
   * @throws GatewayError `invalid_request` or `too_large`; nothing can be read after that
   */
  read(): RtmpMessage | undefined {
    for (;;) {
      this.#current ??= this.#header();
      if (!this.#current) return undefined;
      const { stream, id } = this.#current;
      const taken = Math.min(this.#current.missing, this.#input.length - this.#offset);
      this.#append(stream, this.#input.subarray(this.#offset, this.#offset + taken));
      this.#offset += taken;
      this.#current.missing -= taken;
      if (this.#current.missing > 0) return undefined;
      this.#current = undefined;
      if (stream.received === stream.messageLength) return this.#finish(stream, id);
    }
  }

  /** Forgets what has arrived of the message on a chunk stream (§5.4.2). */
  abort(chunkStreamId: number): void {
    const stream = this.#streams.get(chunkStreamId);
    if (stream) this.#reset(stream);
  }

  #finish(stream: ChunkStream, chunkStreamId: number): RtmpMessage {
    const message: RtmpMessage = {
      chunkStreamId,
      type: stream.type,
      streamId: stream.streamId,
      timestamp: stream.timestamp,
      payload: stream.payload.subarray(0, stream.received),
    };
    this.#reset(stream);
    return message;
  }

  #reset(stream: ChunkStream): void {
    this.#bufferedBytes -= stream.payload.length;
    stream.payload = Buffer.alloc(0);
    stream.received = 0;
    stream.isReceiving = false;
  }

  #append(stream: ChunkStream, bytes: Buffer): void {
    const needed = stream.received + bytes.length;
    if (needed > stream.payload.length) {
      const size = Math.min(stream.messageLength, Math.max(needed, firstAllocationBytes, stream.payload.length * 2));
      this.#bufferedBytes += size - stream.payload.length;
      if (this.#bufferedBytes > this.#limits.maxBufferedBytes) {
        throw new GatewayError('too_large', 'Too many long RTMP messages are under way at once.');
      }
      const grown = Buffer.allocUnsafeSlow(size); // not from the pool: the payload outlives this tick
      stream.payload.copy(grown, 0, 0, stream.received);
      stream.payload = grown;
    }
    bytes.copy(stream.payload, stream.received);
    stream.received = needed;
  }

  /** Reads one chunk header, or nothing at all when it has not arrived whole. */
  #header(): { stream: ChunkStream; id: number; missing: number } | undefined {
    const input = this.#input;
    let at = this.#offset;
    const first = input[at];
    if (first === undefined) return undefined;
    const format = first >> 6;
    const idBytes = (first & 0x3f) === 0 ? 2 : (first & 0x3f) === 1 ? 3 : 1;
    const fieldBytes = [11, 7, 3, 0][format] as number;
    if (input.length < at + idBytes + fieldBytes) return undefined;
    const id = chunkStreamIdAt(input, at, idBytes);
    at += idBytes;
    const known = this.#streams.get(id);
    if (!known && format !== 0 && format !== 1)
      throw broken(`a chunk stream that begins with a header of type ${format}`);
    if (!known && this.#streams.size >= this.#limits.maxChunkStreams) {
      throw new GatewayError('too_large', `More than ${this.#limits.maxChunkStreams} RTMP chunk streams.`);
    }
    const isNewMessage = !known?.isReceiving;
    // A header of type 0 to 2 in the middle of a message is one that the specification does not allow; some encoders
    // abandon a message that way. Nothing sensible follows from it, so it ends the connection.
    if (!isNewMessage && format !== 3) throw broken('a new message before the last one on its chunk stream has ended');

    const field = format === 3 ? (known as ChunkStream).field : input.readUIntBE(at, 3);
    const isExtended = format === 3 ? (known as ChunkStream).isExtended : field === extended;
    const messageLength = format <= 1 ? input.readUIntBE(at + 3, 3) : (known as ChunkStream).messageLength;
    const type = format <= 1 ? (input[at + 6] as number) : (known as ChunkStream).type;
    const streamId = format === 0 ? input.readUInt32LE(at + 7) : (known?.streamId ?? 0);
    at += fieldBytes;
    let value = field;
    if (isExtended) {
      if (input.length < at + 4) return undefined;
      value = input.readUInt32BE(at);
      // Some encoders leave these four bytes out of chunks of type 3; where they do not repeat the value it is payload.
      if (format !== 3 || value === field) at += 4;
      else value = field;
    }
    if (messageLength > this.#limits.maxMessageBytes) {
      throw new GatewayError('too_large', `An RTMP message of ${messageLength} bytes.`);
    }

    const stream = known ?? newChunkStream();
    if (!known) this.#streams.set(id, stream);
    if (isNewMessage) {
      // A message that begins with type 3 repeats the last field as a difference, even one of type 0 (§5.3.1.2.4).
      stream.timestamp = format === 0 ? value : (stream.timestamp + value) >>> 0;
      Object.assign(stream, { type, streamId, field: value, isExtended, messageLength, isReceiving: true });
    }
    this.#offset = at;
    return { stream, id, missing: Math.min(this.#chunkBytes, stream.messageLength - stream.received) };
  }
}

function newChunkStream(): ChunkStream {
  return {
    type: 0,
    streamId: 0,
    timestamp: 0,
    field: 0,
    isExtended: false,
    messageLength: 0,
    payload: Buffer.alloc(0),
    received: 0,
    isReceiving: false,
  };
}

/** §5.3.1.1: ids up to 63 in six bits, up to 319 in one more byte, up to 65599 in two, low byte first. */
function chunkStreamIdAt(input: Buffer, at: number, idBytes: number): number {
  if (idBytes === 1) return (input[at] as number) & 0x3f;
  if (idBytes === 2) return 64 + (input[at + 1] as number);
  return 64 + input.readUInt16LE(at + 1);
}

/** Cuts messages into chunks, with the shortest header that says enough. */
export class ChunkWriter {
  readonly #last = new Map<number, { type: number; streamId: number; timestamp: number; length: number }>();
  #chunkBytes = initialChunkBytes;

  /** For messages after the Set Chunk Size that announces it. */
  setChunkSize(bytes: number): void {
    this.#chunkBytes = bytes;
  }

  /** @returns buffers to write in order; payload is not copied, so it must stay as it is until it has left */
  encode(message: RtmpMessage): Buffer[] {
    const { header, extendedTimestamp } = this.#header(message);
    const continuation = chunkBasicHeader(3, message.chunkStreamId);
    const separator = extendedTimestamp ? Buffer.concat([continuation, extendedTimestamp]) : continuation;
    const buffers = [header];
    for (let at = 0; at < message.payload.length; at += this.#chunkBytes) {
      if (at > 0) buffers.push(separator);
      buffers.push(message.payload.subarray(at, at + this.#chunkBytes));
    }
    return buffers;
  }

  #header(message: RtmpMessage): { header: Buffer; extendedTimestamp: Buffer | undefined } {
    const { chunkStreamId, type, streamId, timestamp, payload } = message;
    const last = this.#last.get(chunkStreamId);
    const isDelta = last !== undefined && last.streamId === streamId && timestamp >= last.timestamp;
    const format = !isDelta ? 0 : last.type === type && last.length === payload.length ? 2 : 1;
    const value = isDelta ? timestamp - last.timestamp : timestamp;
    this.#last.set(chunkStreamId, { type, streamId, timestamp, length: payload.length });

    const isExtended = value >= extended;
    const fields = Buffer.allocUnsafe([11, 7, 3][format] as number);
    fields.writeUIntBE(isExtended ? extended : value, 0, 3);
    if (format <= 1) {
      fields.writeUIntBE(payload.length, 3, 3);
      fields.writeUInt8(type, 6);
    }
    if (format === 0) fields.writeUInt32LE(streamId, 7);
    const extendedTimestamp = isExtended ? Buffer.allocUnsafe(4) : undefined;
    extendedTimestamp?.writeUInt32BE(value);
    const parts = [chunkBasicHeader(format, chunkStreamId), fields];
    if (extendedTimestamp) parts.push(extendedTimestamp);
    return { header: Buffer.concat(parts), extendedTimestamp };
  }
}

function chunkBasicHeader(format: number, chunkStreamId: number): Buffer {
  const bits = format << 6;
  if (chunkStreamId < 64) return Buffer.of(bits | chunkStreamId);
  if (chunkStreamId < 320) return Buffer.of(bits, chunkStreamId - 64);
  return Buffer.of(bits | 1, (chunkStreamId - 64) & 0xff, (chunkStreamId - 64) >> 8);
}

function broken(what: string): GatewayError {
  return new GatewayError('invalid_request', `The RTMP peer sent ${what}.`);
}
