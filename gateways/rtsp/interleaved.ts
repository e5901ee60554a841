// Owns: an RTSP connection's byte stream taken apart: messages, and RTP or RTCP between them (RFC 2326 §10.12). Pure.
// May import: core/errors.
import { GatewayError } from '#core/errors.ts';
import { contentLengthOf, parseHead, type RtspMessage } from './message.ts';

export interface InterleavedFrame {
  readonly kind: 'interleaved';
  readonly channel: number;
  /** The reader's own copy: it may be kept. */
  readonly payload: Buffer;
}

export interface RtspLimits {
  readonly maxHeadBytes: number;
  readonly maxBodyBytes: number;
}

const defaultRtspLimits: RtspLimits = { maxHeadBytes: 16_384, maxBodyBytes: 65_536 };

const dollar = 0x24;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Feed with `write`, then `read` until it has no more: reading may stop in between. */
export class RtspReader {
  readonly #limits: RtspLimits;
  #input: Buffer = Buffer.alloc(0);
  #offset = 0;
  /** Where the search for the end of the head goes on, so that a head in pieces is not searched again and again. */
  #searched = 0;

  constructor(limits: RtspLimits = defaultRtspLimits) {
    this.#limits = limits;
  }

  write(data: Buffer): void {
    const rest = this.#input.subarray(this.#offset);
    this.#input = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    this.#offset = 0;
  }

  /**
   * @returns the next whole message or frame; undefined when more bytes are needed
   * @throws GatewayError `invalid_request` or `too_large`; nothing can be read after that
   */
  read(): RtspMessage | InterleavedFrame | undefined {
    if (this.#searched === 0) this.#skipLineEnds();
    const first = this.#input[this.#offset];
    if (first === undefined) return undefined;
    return first === dollar && this.#searched === 0 ? this.#frame() : this.#message();
  }

  #frame(): InterleavedFrame | undefined {
    const start = this.#offset;
    if (this.#input.length < start + 4) return undefined;
    const channel = this.#input.readUInt8(start + 1);
    const end = start + 4 + this.#input.readUInt16BE(start + 2);
    if (this.#input.length < end) return undefined;
    this.#offset = end;
    return { kind: 'interleaved', channel, payload: Buffer.from(this.#input.subarray(start + 4, end)) };
  }

  #message(): RtspMessage | undefined {
    const end = this.#headEnd();
    const headBytes = end?.length ?? this.#input.length - this.#offset;
    if (headBytes > this.#limits.maxHeadBytes)
      throw new GatewayError('too_large', 'An RTSP message with too long a head.');
    if (!end) return undefined;
    const head = parseHead(this.#input.toString('utf8', this.#offset, this.#offset + end.length));
    const bodyBytes = contentLengthOf(head);
    if (bodyBytes > this.#limits.maxBodyBytes)
      throw new GatewayError('too_large', 'An RTSP message with too long a body.');
    const bodyStart = this.#offset + end.length + end.separatorBytes;
    // The head is parsed again for each piece of the body; that is bounded, and bodies come in one or two.
    if (this.#input.length < bodyStart + bodyBytes) return undefined;
    const body = Buffer.from(this.#input.subarray(bodyStart, bodyStart + bodyBytes));
    this.#offset = bodyStart + bodyBytes;
    this.#searched = 0;
    return { ...head, body };
  }

  /** Length of the head, and of the empty line after it; some cameras end lines with a bare LF. */
  #headEnd(): { length: number; separatorBytes: number } | undefined {
    const from = this.#offset + Math.max(0, this.#searched - 3);
    for (let at = this.#input.indexOf(lineFeed, from); at >= 0; at = this.#input.indexOf(lineFeed, at + 1)) {
      const isCrLf = this.#input[at + 1] === carriageReturn && this.#input[at + 2] === lineFeed;
      if (!isCrLf && this.#input[at + 1] !== lineFeed) continue;
      const lineEndBytes = this.#input[at - 1] === carriageReturn ? 2 : 1;
      return {
        length: at + 1 - lineEndBytes - this.#offset,
        separatorBytes: lineEndBytes + (isCrLf ? 2 : 1),
      };
    }
    this.#searched = this.#input.length - this.#offset;
    return undefined;
  }

  #skipLineEnds(): void {
    while (this.#input[this.#offset] === carriageReturn || this.#input[this.#offset] === lineFeed) this.#offset += 1;
  }
}

/** Four bytes to send before an RTP or RTCP packet. */
export function interleavedHead(channel: number, length: number): Buffer {
  return Buffer.of(dollar, channel, length >> 8, length & 0xff);
}
