import { isDigits, isToken } from './grammar.ts';
import { headerName, knownHeader } from './header-names.ts';
import { SipMessage } from './message.ts';

export interface ParseLimits {
  /** Start line and headers together. */
  readonly maxHeadBytes: number;
  readonly maxHeaders: number;
  /** One header, unfolded; drachtio-srf's patterns are quadratic in it. */
  readonly maxHeaderBytes: number;
}

export const defaultParseLimits: ParseLimits = { maxHeadBytes: 32_768, maxHeaders: 256, maxHeaderBytes: 8192 };

/** What is wrong, and what to answer it with where it is a request; 0 is to drop it. */
export interface Fault {
  readonly status: number;
  readonly reason: string;
}

export type ParseResult =
  | { readonly ok: true; readonly message: SipMessage }
  /** `message` is there when enough of a request could be read to answer it. */
  | { readonly ok: false; readonly fault: Fault; readonly message: SipMessage | undefined };

const headEnd = Buffer.from('\r\n\r\n');

/** Where the headers end and the body starts, or -1. */
export function findBody(bytes: Buffer): number {
  const end = bytes.indexOf(headEnd);
  return end < 0 ? -1 : end + 4;
}

/**
 * Reads one message that fills `bytes` (a datagram or a WebSocket message), or the piece of a stream that was framed.
 * What follows Content-Length bytes of body is ignored (RFC 3261 §18.3); less than that is a fault.
 */
export function parseMessage(bytes: Buffer, limits: ParseLimits = defaultParseLimits): ParseResult {
  const bodyStart = findBody(bytes);
  const headBytes = bodyStart < 0 ? bytes.length : bodyStart - 2;
  if (headBytes > limits.maxHeadBytes) return refuse(undefined, 513, 'Message Too Large');
  const read = parseHead(bytes.toString('utf8', 0, headBytes), limits);
  if (!read.ok) return read;
  const { message } = read;
  if (bodyStart < 0) return refuse(message, 400, 'Headers Do Not End');

  const available = bytes.length - bodyStart;
  const declared = contentLengthOf(message);
  if (declared === -1) return refuse(message, 400, 'Bad Content-Length');
  if (declared > available) return refuse(message, 400, 'Content-Length Exceeds Body');
  const length = declared === -2 ? available : declared;
  if (length > 0) message.body = bytes.subarray(bodyStart, bodyStart + length);
  return read;
}

/** @returns -2 where there is none, -1 where it is broken or they disagree */
export function contentLengthOf(message: SipMessage): number {
  let length = -2;
  for (let i = 0; i < message.names.length; i++) {
    if (message.names[i]?.name !== 'content-length') continue;
    const value = message.values[i] ?? '';
    if (length !== -2 || value.length > 9 || !isDigits(value)) return -1;
    length = Number(value);
  }
  return length;
}

/** Start line and header lines, without the empty line at the end. */
export function parseHead(text: string, limits: ParseLimits = defaultParseLimits): ParseResult {
  let lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) lineEnd = text.length;
  const started = parseStartLine(text.slice(0, lineEnd));
  if (!started) return refuse(undefined, 0, 'Not SIP');
  const { message } = started;
  let fault = started.fault;

  let position = lineEnd + 2;
  while (position < text.length) {
    let end = text.indexOf('\r\n', position);
    if (end < 0) end = text.length;
    const first = text.charCodeAt(end + 2);
    let isFolded = false;
    if (first === 32 || first === 9) {
      isFolded = true;
      end = foldedEnd(text, end);
    }
    if (end - position > limits.maxHeaderBytes) fault ??= { status: 400, reason: 'Header Too Long' };
    else if (message.names.length >= limits.maxHeaders) return refuse(message, 400, 'Too Many Headers');
    else if (!readHeader(text, position, end, isFolded, message)) fault ??= { status: 400, reason: 'Bad Header' };
    position = end + 2;
  }
  return fault ? { ok: false, fault, message: message.isRequest ? message : undefined } : { ok: true, message };
}

function foldedEnd(text: string, from: number): number {
  let end = from;
  for (;;) {
    const next = text.charCodeAt(end + 2);
    if (next !== 32 && next !== 9) return end;
    end = text.indexOf('\r\n', end + 2);
    if (end < 0) return text.length;
  }
}

function readHeader(text: string, start: number, end: number, isFolded: boolean, message: SipMessage): boolean {
  const colon = text.indexOf(':', start);
  if (colon < 0 || colon >= end) return false;
  const written = text.slice(start, colon);
  let header = knownHeader(written);
  if (!header) {
    const trimmed = written.trimEnd();
    if (!isToken(trimmed)) return false;
    header = headerName(trimmed);
  }
  let value = text.slice(colon + 1, end).trim();
  if (isFolded) value = value.replaceAll(/[ \t]*\r\n[ \t]+/g, ' ');
  if (hasControl(value)) return false;
  message.names.push(header);
  message.values.push(value);
  return true;
}

/**
 * NUL would end the string for a peer in C, a lone CR or LF start a header of the attacker's choosing. NUL alone may be
 * escaped (quoted-pair of RFC 3261 §25.1, RFC 4475 §3.1.1.2).
 */
export function hasControl(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 13 || code === 10) return true;
    if (code === 0 && value.charCodeAt(i - 1) !== backslash) return true;
  }
  return false;
}

const backslash = 92;

function parseStartLine(line: string): { message: SipMessage; fault: Fault | undefined } | undefined {
  if (hasControl(line)) return undefined;
  if (line.startsWith('SIP/2.0 ')) {
    const status = line.slice(8, 11);
    if (!/^[1-6]\d\d$/.test(status) || (line.length > 11 && line.charCodeAt(11) !== 32)) return undefined;
    return { message: SipMessage.response(Number(status), line.slice(12)), fault: undefined };
  }
  const firstSpace = line.indexOf(' ');
  const lastSpace = line.lastIndexOf(' ');
  const method = line.slice(0, firstSpace);
  if (firstSpace < 1 || !isToken(method)) return undefined;
  if (firstSpace < lastSpace && line.endsWith(' SIP/2.0')) {
    const uri = line.slice(firstSpace + 1, lastSpace);
    if (uri !== '' && !/[\s<>"]/.test(uri)) return { message: SipMessage.request(method, uri), fault: undefined };
  }
  // A fault of the request line must not keep the headers from being read: the answer is made from them.
  const found = /^(\S+) +(\S.*?) +SIP\/(\d+\.\d+) *$/i.exec(line);
  if (!found) return undefined;
  const message = SipMessage.request(method, found[2] ?? '');
  if (found[3] !== '2.0') return { message, fault: { status: 505, reason: 'Version Not Supported' } };
  const isExact =
    lastSpace > firstSpace && line.slice(firstSpace + 1, lastSpace) === message.uri && line.endsWith('SIP/2.0');
  const fault = isExact && !/[\s<>"]/.test(message.uri) ? undefined : { status: 400, reason: 'Bad Request-Line' };
  return { message, fault };
}

function refuse(message: SipMessage | undefined, status: number, reason: string): ParseResult {
  return { ok: false, fault: { status, reason }, message: message?.isRequest ? message : undefined };
}
