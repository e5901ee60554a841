import { splitCommas } from './grammar.ts';
import { type HeaderName, headerName } from './header-names.ts';
import { type NameAddr, parseNameAddr } from './name-addr.ts';
import { parseVia, splitTopVia, type Via } from './via.ts';

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

const emptyBody = Buffer.alloc(0);

/**
 * A request or a response: start line, headers in order, body. Header names are compared in their full, lower-case
 * form. Well-known headers are taken apart when first asked for, and are undefined where they are absent or broken.
 */
export class SipMessage {
  /** '' for a response. */
  method: string;
  /** Request-URI as written; '' for a response. */
  uri: string;
  /** 0 for a request. */
  status: number;
  reason: string;
  readonly names: HeaderName[] = [];
  readonly values: string[] = [];
  body: Buffer = emptyBody;
  // Each with the text that it was read from, which may change.
  #fromText = '';
  #from: NameAddr | undefined;
  #toText = '';
  #to: NameAddr | undefined;
  #viaText = '';
  #topVia: Via | undefined;
  #cseqText = '';
  #cseq: CSeq | undefined;

  private constructor(method: string, uri: string, status: number, reason: string) {
    this.method = method;
    this.uri = uri;
    this.status = status;
    this.reason = reason;
  }

  static request(method: string, uri: string): SipMessage {
    return new SipMessage(method, uri, 0, '');
  }

  static response(status: number, reason: string): SipMessage {
    return new SipMessage('', '', status, reason);
  }

  get isRequest(): boolean {
    return this.status === 0;
  }

  /** First value of a header, by its lower-case name. */
  get(name: string): string | undefined {
    const { names } = this;
    for (let i = 0; i < names.length; i++) if (names[i]?.name === name) return this.values[i];
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Every line of a header, unsplit. */
  all(name: string): string[] {
    const found: string[] = [];
    for (let i = 0; i < this.names.length; i++) {
      if (this.names[i]?.name === name) found.push(this.values[i] ?? '');
    }
    return found;
  }

  /** Every member of a comma-separated header, over all its lines; empty members are left out. */
  list(name: string): string[] {
    const found: string[] = [];
    for (const line of this.all(name)) for (const member of splitCommas(line)) if (member !== '') found.push(member);
    return found;
  }

  /** Members of a list of tokens (Require, Supported), in lower case. */
  tokens(name: string): string[] {
    return this.list(name).map((token) => token.toLowerCase());
  }

  count(name: string): number {
    let count = 0;
    for (const header of this.names) if (header.name === name) count++;
    return count;
  }

  add(name: string, value: string): this {
    this.names.push(headerName(name));
    this.values.push(value);
    return this;
  }

  /** Replaces the first and removes the rest; adds it where it was not. */
  set(name: string, value: string): this {
    const header = headerName(name);
    const at = this.names.findIndex((each) => each.name === header.name);
    if (at < 0) return this.add(name, value);
    this.values[at] = value;
    for (let i = this.names.length - 1; i > at; i--) if (this.names[i]?.name === header.name) this.#removeAt(i);
    return this;
  }

  /** Puts a header before all others: Via and Record-Route of a hop. */
  prepend(name: string, value: string): this {
    this.names.unshift(headerName(name));
    this.values.unshift(value);
    return this;
  }

  remove(name: string): this {
    for (let i = this.names.length - 1; i >= 0; i--) if (this.names[i]?.name === name) this.#removeAt(i);
    return this;
  }

  get callId(): string {
    return this.get('call-id') ?? '';
  }

  get from(): NameAddr | undefined {
    const text = this.get('from') ?? '';
    if (text !== this.#fromText) {
      this.#fromText = text;
      this.#from = parseNameAddr(text);
    }
    return this.#from;
  }

  get to(): NameAddr | undefined {
    const text = this.get('to') ?? '';
    if (text !== this.#toText) {
      this.#toText = text;
      this.#to = parseNameAddr(text);
    }
    return this.#to;
  }

  get fromTag(): string {
    return this.from?.params.get('tag') ?? '';
  }

  get toTag(): string {
    return this.to?.params.get('tag') ?? '';
  }

  get topVia(): Via | undefined {
    const text = this.get('via') ?? '';
    if (text !== this.#viaText) {
      this.#viaText = text;
      this.#topVia = parseVia(splitTopVia(text).top);
    }
    return this.#topVia;
  }

  get cseq(): CSeq | undefined {
    const text = this.get('cseq') ?? '';
    if (text !== this.#cseqText) {
      this.#cseqText = text;
      this.#cseq = parseCSeq(text);
    }
    return this.#cseq;
  }

  get bodyText(): string {
    return this.body.length === 0 ? '' : this.body.toString('utf8');
  }

  /** Start line and headers, with a Content-Length that is true, and the empty line. */
  head(): string {
    let text = this.isRequest ? `${this.method} ${this.uri} SIP/2.0\r\n` : `SIP/2.0 ${this.status} ${this.reason}\r\n`;
    const { names, values } = this;
    for (let i = 0; i < names.length; i++) {
      const header = names[i];
      if (header && header.name !== 'content-length') text += `${header.spelled}: ${values[i]}\r\n`;
    }
    return `${text}Content-Length: ${this.body.length}\r\n\r\n`;
  }

  toBuffer(): Buffer {
    const head = Buffer.from(this.head(), 'utf8');
    return this.body.length === 0 ? head : Buffer.concat([head, this.body]);
  }

  /** As text, for logs and for the application; a body that is not UTF-8 does not survive it. */
  toString(): string {
    return this.head() + this.bodyText;
  }

  #removeAt(index: number): void {
    this.names.splice(index, 1);
    this.values.splice(index, 1);
  }
}

const cseqPattern = /^(\d{1,10})\s+([A-Za-z0-9\-.!%*_+`'~]+)$/;

/** @see RFC 3261 §8.1.1.5: below 2^31 */
function parseCSeq(text: string): CSeq | undefined {
  const found = cseqPattern.exec(text);
  const number = Number(found?.[1]);
  return found?.[2] !== undefined && number < 2 ** 31 ? { number, method: found[2] } : undefined;
}
