import { isTokenCode, isWhite, type Params, parseParams, skipQuoted, skipWhite } from './grammar.ts';

/** One value of From, To, Contact, Route, Refer-To and their like. */
export interface NameAddr {
  /** As written, quotes kept; '' where there is none. */
  readonly displayName: string;
  readonly uri: string;
  /** Of the header, not of the URI. */
  readonly params: Params;
}

/**
 * One name-addr or addr-spec with its parameters, and nothing after it.
 * @see RFC 3261 §20.10: without angle brackets what follows `;` belongs to the header, and the URI may hold no `?` or `,`.
 */
export function parseNameAddr(text: string): NameAddr | undefined {
  const read = readNameAddr(text, 0);
  return read && read.end === text.length ? read.value : undefined;
}

/** A comma-separated list of them, at least one. */
export function parseNameAddrs(text: string): NameAddr[] | undefined {
  const list: NameAddr[] = [];
  let i = 0;
  for (;;) {
    const read = readNameAddr(text, i);
    if (!read || list.length >= 256) return undefined;
    list.push(read.value);
    if (read.end >= text.length) return list;
    i = read.end + 1;
  }
}

function readNameAddr(text: string, from: number): { value: NameAddr; end: number } | undefined {
  let i = skipWhite(text, from);
  const start = i;
  let uri: string;
  let displayName = '';
  if (text.charCodeAt(i) === 0x22) {
    i = skipQuoted(text, i);
    if (i < 0) return undefined;
    displayName = text.slice(start, i);
    i = skipWhite(text, i);
    if (text.charCodeAt(i) !== 0x3c) return undefined;
  } else {
    // Display names are tokens; the space between them is what tells them from a bare URI.
    while (i < text.length && isDisplayCode(text.charCodeAt(i))) i++;
    if (text.charCodeAt(i) === 0x3c) displayName = text.slice(start, i).trimEnd();
    else i = start;
  }
  if (text.charCodeAt(i) === 0x3c) {
    const close = text.indexOf('>', i);
    if (close < 0) return undefined;
    uri = text.slice(i + 1, close);
    i = close + 1;
  } else {
    const uriStart = i;
    while (i < text.length && !isBareUriEnd(text.charCodeAt(i))) i++;
    uri = text.slice(uriStart, i);
    if (uri.includes('?')) return undefined;
  }
  if (uri === '' || hasForbidden(uri)) return undefined;
  const params: Params = new Map();
  const end = parseParams(text, i, params);
  return end < 0 ? undefined : { value: { displayName, uri, params }, end };
}

function isDisplayCode(code: number): boolean {
  return isTokenCode(code) || isWhite(code) || code > 127;
}

function isBareUriEnd(code: number): boolean {
  return code === 0x3b || code === 0x2c || isWhite(code);
}

function hasForbidden(uri: string): boolean {
  for (let i = 0; i < uri.length; i++) {
    const code = uri.charCodeAt(i);
    if (code <= 32 || code === 0x22 || code === 0x3c) return true;
  }
  return false;
}
