import { isIPv4, isIPv6 } from 'node:net';
import { isDigits } from './grammar.ts';

/** A sip, sips or tel URI taken apart, or any other whose scheme alone is understood. */
export interface SipUri {
  /** Lower case: `sip`, `sips`, `tel` or what it was. */
  readonly scheme: string;
  /** As written, escapes kept; for tel the number. Undefined where there is none. */
  readonly user: string | undefined;
  /** Lower case; IPv6 without brackets. Empty for schemes without hosts. */
  readonly host: string;
  readonly port: number | undefined;
  /** By lower-case name; values as written. */
  readonly params: ReadonlyMap<string, string>;
  /** What follows `?`, as written. */
  readonly headers: string;
}

const schemePattern = /^[A-Za-z][A-Za-z0-9+.-]*$/;
// unreserved, escaped and user-unreserved (RFC 3261 §25.1), and non-ASCII, which peers send unescaped.
const userPattern = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#\u0080-\uffff]|%[0-9A-Fa-f]{2})+$/;
const passwordPattern = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,\u0080-\uffff]|%[0-9A-Fa-f]{2})*$/;
const hostPattern = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;
const paramPattern = /^(?:[A-Za-z0-9\-_.!~*'()[\]/:&+$\u0080-\uffff]|%[0-9A-Fa-f]{2})+$/;
const headersPattern = /^(?:[A-Za-z0-9\-_.!~*'()[\]/?:+$=&\u0080-\uffff]|%[0-9A-Fa-f]{2})+$/;
const telPattern = /^(?:\+[0-9\-.()]*[0-9][0-9\-.()]*|[0-9A-Fa-f*#\-.()]+)$/;
const noParams: ReadonlyMap<string, string> = new Map();

/** Each URI of a call is read many times over. */
const lastRead = new Map<string, SipUri | undefined>();
const maxRemembered = 256;
const maxRememberedLength = 256;

/** @returns undefined where it is no URI, or a sip, sips or tel URI against the grammar */
export function parseUri(text: string): SipUri | undefined {
  if (text.length > maxRememberedLength) return readUri(text);
  const known = lastRead.get(text);
  if (known !== undefined || lastRead.has(text)) return known;
  const uri = readUri(text);
  if (lastRead.size >= maxRemembered) lastRead.clear();
  lastRead.set(text, uri);
  return uri;
}

function readUri(text: string): SipUri | undefined {
  const colon = text.indexOf(':');
  if (colon < 1) return undefined;
  const scheme = text.slice(0, colon).toLowerCase();
  if (scheme === 'sip' || scheme === 'sips') return parseSipUri(text, scheme, colon + 1);
  if (scheme === 'tel') return parseTelUri(text, colon + 1);
  if (!schemePattern.test(scheme) || /[\s<>"]/.test(text)) return undefined;
  return { scheme, user: undefined, host: '', port: undefined, params: noParams, headers: '' };
}

function parseSipUri(text: string, scheme: string, from: number): SipUri | undefined {
  let user: string | undefined;
  let hostStart = from;
  const at = text.indexOf('@', from);
  if (at >= 0) {
    if (text.includes('@', at + 1)) return undefined;
    const colon = text.indexOf(':', from);
    const userEnd = colon >= 0 && colon < at ? colon : at;
    user = text.slice(from, userEnd);
    if (!userPattern.test(user)) return undefined;
    if (userEnd < at && !passwordPattern.test(text.slice(userEnd + 1, at))) return undefined;
    hostStart = at + 1;
  }
  let hostEnd = hostStart;
  if (text.charCodeAt(hostStart) === 0x5b) hostEnd = text.indexOf(']', hostStart) + 1;
  else while (hostEnd < text.length && !':;?'.includes(text[hostEnd] ?? '')) hostEnd++;
  const host = readHost(text.slice(hostStart, hostEnd));
  if (host === undefined) return undefined;

  let i = hostEnd;
  let port: number | undefined;
  if (text[i] === ':') {
    const start = ++i;
    while (i < text.length && text[i] !== ';' && text[i] !== '?') i++;
    port = readPort(text.slice(start, i));
    if (port === undefined) return undefined;
  }
  const question = text.indexOf('?', i);
  const paramsEnd = question < 0 ? text.length : question;
  const headers = question < 0 ? '' : text.slice(question + 1);
  if (question >= 0 && !headersPattern.test(headers)) return undefined;
  const params = readParams(text.slice(i, paramsEnd));
  return params && { scheme, user, host, port, params, headers };
}

function parseTelUri(text: string, from: number): SipUri | undefined {
  const semicolon = text.indexOf(';', from);
  const user = text.slice(from, semicolon < 0 ? text.length : semicolon);
  if (!telPattern.test(user)) return undefined;
  const params = readParams(semicolon < 0 ? '' : text.slice(semicolon));
  return params && { scheme: 'tel', user, host: '', port: undefined, params, headers: '' };
}

function readParams(text: string): ReadonlyMap<string, string> | undefined {
  if (text === '') return noParams;
  if (text[0] !== ';') return undefined;
  const params = new Map<string, string>();
  for (const part of text.slice(1).split(';')) {
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? '' : part.slice(equals + 1);
    if (!paramPattern.test(name) || (equals >= 0 && !paramPattern.test(value))) return undefined;
    if (!params.has(name)) params.set(name, value);
  }
  return params;
}

/** @returns lower case and without brackets, or undefined where it is no host */
export function readHost(text: string): string | undefined {
  if (text.startsWith('[')) {
    if (!text.endsWith(']')) return undefined;
    // RFC 5118 §4.10: the ABNF of old produced three colons before an IPv4 tail; be liberal about it.
    const address = text.slice(1, -1).replace(':::', '::').toLowerCase();
    return isIPv6(address) ? address : undefined;
  }
  if (isIPv4(text)) return text;
  return text.length <= 255 && hostPattern.test(text) ? text.toLowerCase() : undefined;
}

export function readPort(text: string): number | undefined {
  if (text.length > 6 || !isDigits(text)) return undefined;
  const port = Number(text);
  return port > 0 && port < 65536 ? port : undefined;
}

/** `host:port` as it stands in a URI or a Via: IPv6 in brackets. */
export function formatHostPort(host: string, port: number | undefined): string {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return port === undefined ? bracketed : `${bracketed}:${port}`;
}
