import type { SipMessage } from './message.ts';
import { contentLengthOf, type Fault, findBody, type ParseLimits, parseHead } from './parse.ts';

export interface FramerOptions {
  readonly limits: ParseLimits;
  readonly maxMessageBytes: number;
  readonly onMessage: (message: SipMessage) => void;
  /** A request that is to be refused; the stream goes on. */
  readonly onFault: (fault: Fault, message: SipMessage | undefined) => void;
  /** A double CRLF came: RFC 5626 §3.5.1 wants a single one back. */
  readonly onPing: () => void;
}

const nothing = Buffer.alloc(0);

/**
 * Cuts a TCP or TLS stream into messages by Content-Length (RFC 3261 §18.3), which a stream must have.
 * After a fault that leaves it unknown where the next message starts, `push` returns false: close the connection.
 */
export class StreamFramer {
  readonly #options: FramerOptions;
  #pending: Buffer = nothing;
  /** Of the message whose head has been read. */
  #message: SipMessage | undefined;
  #bodyBytes = 0;
  /** How far the search for the end of the head has come. */
  #searched = 0;
  #isBroken = false;

  constructor(options: FramerOptions) {
    this.#options = options;
  }

  /** True while part of a message is waiting for the rest. */
  get isMidMessage(): boolean {
    return this.#pending.length > 0 || this.#message !== undefined;
  }

  push(chunk: Buffer): boolean {
    if (this.#isBroken) return false;
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (!this.#isBroken && this.#step());
    return !this.#isBroken;
  }

  #step(): boolean {
    if (this.#message) return this.#takeBody(this.#message);
    if (!this.#skipKeepAlives()) return false;
    const { limits, maxMessageBytes } = this.#options;
    const from = Math.max(0, this.#searched - 3);
    const found = findBody(from === 0 ? this.#pending : this.#pending.subarray(from));
    if (found < 0) {
      this.#searched = this.#pending.length;
      return this.#pending.length <= limits.maxHeadBytes ? false : this.#break(513, 'Message Too Large', undefined);
    }
    const bodyStart = from + found;
    if (bodyStart > limits.maxHeadBytes) return this.#break(513, 'Message Too Large', undefined);
    const read = parseHead(this.#pending.toString('utf8', 0, bodyStart - 2), limits);
    this.#pending = this.#pending.subarray(bodyStart);
    this.#searched = 0;
    const { message } = read;
    if (!message) return this.#break(0, 'Not SIP', undefined);
    const length = contentLengthOf(message);
    if (length < 0) return this.#break(400, length === -2 ? 'Content-Length Required' : 'Bad Content-Length', message);
    if (bodyStart + length > maxMessageBytes) return this.#break(513, 'Message Too Large', message);
    if (!read.ok) {
      if (this.#pending.length < length) return this.#break(read.fault.status, read.fault.reason, message);
      this.#pending = this.#pending.subarray(length);
      this.#options.onFault(read.fault, message);
      return true;
    }
    this.#message = message;
    this.#bodyBytes = length;
    return true;
  }

  #takeBody(message: SipMessage): boolean {
    if (this.#pending.length < this.#bodyBytes) return false;
    if (this.#bodyBytes > 0) message.body = Buffer.from(this.#pending.subarray(0, this.#bodyBytes));
    this.#pending = this.#pending.subarray(this.#bodyBytes);
    this.#message = undefined;
    this.#options.onMessage(message);
    return true;
  }

  /** @returns whether something is left */
  #skipKeepAlives(): boolean {
    let i = 0;
    while (i + 1 < this.#pending.length && this.#pending[i] === 13 && this.#pending[i + 1] === 10) {
      if (this.#pending[i + 2] === 13 && this.#pending[i + 3] === 10) {
        this.#options.onPing();
        i += 4;
      } else i += 2;
    }
    if (i > 0) {
      this.#pending = this.#pending.subarray(i);
      this.#searched = 0;
    }
    return this.#pending.length > 1;
  }

  #break(status: number, reason: string, message: SipMessage | undefined): false {
    this.#isBroken = true;
    this.#pending = nothing;
    this.#options.onFault({ status, reason }, message);
    return false;
  }
}
