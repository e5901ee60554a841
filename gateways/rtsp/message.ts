// Owns: RTSP 1.0 messages (RFC 2326) as objects and as bytes. Pure. May import: core/errors.
import { GatewayError } from '#core/errors.ts';

/** Header fields by lower-case name, each with its values in order. */
export type RtspHeaders = ReadonlyMap<string, readonly string[]>;

export interface RtspRequest {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
  readonly headers: RtspHeaders;
  readonly body: Buffer;
}

export interface RtspResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly headers: RtspHeaders;
  readonly body: Buffer;
}

export type RtspMessage = RtspRequest | RtspResponse;

const maxHeaderLines = 100;
const methodPattern = /^[A-Z_]{1,32}$/;
const fieldPattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})[ \t]*:[ \t]*(.*)$/;

/**
 * The head of a message, from its first line up to and without the empty line.
 * @throws GatewayError `invalid_request`
 */
export function parseHead(head: string): Omit<RtspRequest, 'body'> | Omit<RtspResponse, 'body'> {
  const [first = '', ...lines] = head.split(/\r\n|\n|\r/);
  const headers = parseHeaders(lines);
  const response = /^RTSP\/\d\.\d (\d{3})(?: (.*))?$/.exec(first);
  if (response) return { kind: 'response', status: Number(response[1]), reason: response[2] ?? '', headers };
  const [method = '', uri = '', version = '', ...more] = first.split(' ');
  if (!methodPattern.test(method) || uri === '' || !/^RTSP\/\d\.\d$/.test(version) || more.length > 0) {
    throw new GatewayError('invalid_request', 'A line that begins no RTSP message.');
  }
  return { kind: 'request', method, uri, headers };
}

function parseHeaders(lines: readonly string[]): RtspHeaders {
  if (lines.length > maxHeaderLines)
    throw new GatewayError('too_large', `More than ${maxHeaderLines} RTSP header lines.`);
  const headers = new Map<string, string[]>();
  let last: string[] | undefined;
  for (const line of lines) {
    if (/^[ \t]/.test(line) && last) {
      last[last.length - 1] += ` ${line.trim()}`; // a folded line, which RFC 2326 §4.2 still allows
      continue;
    }
    const [, name, value] = fieldPattern.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new GatewayError('invalid_request', 'A broken RTSP header.');
    last = headers.get(name.toLowerCase()) ?? [];
    last.push(value.trimEnd());
    headers.set(name.toLowerCase(), last);
  }
  return headers;
}

/** The first value of a field. */
export function headerOf(message: { readonly headers: RtspHeaders }, name: string): string | undefined {
  return message.headers.get(name)?.[0];
}

/** @throws GatewayError `invalid_request` for a length that is no number */
export function contentLengthOf(message: { readonly headers: RtspHeaders }): number {
  const text = headerOf(message, 'content-length') ?? '0';
  if (!/^\d{1,9}$/.test(text)) throw new GatewayError('invalid_request', 'A broken Content-Length.');
  return Number(text);
}

export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>;

export function serializeRequest(method: string, uri: string, fields: HeaderFields, body = ''): Buffer {
  return serialize(`${method} ${uri} RTSP/1.0`, fields, body);
}

export function serializeResponse(status: number, fields: HeaderFields, body = ''): Buffer {
  return serialize(`RTSP/1.0 ${status} ${reasonPhrases[status] ?? 'Unknown'}`, fields, body);
}

function serialize(first: string, fields: HeaderFields, body: string): Buffer {
  const lines = [first];
  for (const [name, value] of Object.entries(fields)) {
    // Values may hold what a peer sent (CSeq, a URI): it must not become a line of its own.
    for (const one of [value ?? []].flat()) lines.push(`${name}: ${one.replace(/[\r\n]/g, ' ')}`);
  }
  const bytes = Buffer.from(body, 'utf8');
  if (bytes.length > 0) lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'utf8'), bytes]);
}

/** RFC 2326 §7.1.1. */
const reasonPhrases: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Time-out',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  453: 'Not Enough Bandwidth',
  454: 'Session Not Found',
  455: 'Method Not Valid in This State',
  459: 'Aggregate Operation Not Allowed',
  460: 'Only Aggregate Operation Allowed',
  461: 'Unsupported Transport',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'RTSP Version Not Supported',
  551: 'Option not supported',
};
