import { isToken } from './grammar.ts';
import { countedHeaders } from './header-names.ts';
import type { SipMessage } from './message.ts';
import { parseNameAddr, parseNameAddrs } from './name-addr.ts';
import type { Fault } from './parse.ts';
import { parseUri } from './uri.ts';
import { branchCookie, parseVia } from './via.ts';

const required: readonly string[] = ['via', 'from', 'to', 'call-id', 'cseq'];
const requiredBits = countedHeaders.reduce((bits, name, i) => (required.includes(name) ? bits | (1 << i) : bits), 0);
/** Of which there is one (RFC 3261 §20, table 2). */
const single = countedHeaders.filter((name) => name !== 'via');
const dialogMakers = new Set(['INVITE', 'SUBSCRIBE', 'REFER']);

/** Option tags that this server, drachtio-srf or the application behind it knows. */
const supportedExtensions: ReadonlySet<string> = new Set([
  '100rel',
  'timer',
  'replaces',
  'norefersub',
  'path',
  'outbound',
  'histinfo',
]);

export interface RequestFault extends Fault {
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * What keeps a request that parsed from being taken further.
 * @see RFC 3261 §8.1.1, §8.2.2, §16.3; the answers are those of RFC 4475 §3
 */
export function faultOfRequest(request: SipMessage): RequestFault | undefined {
  const miscounted = faultOfCounts(request);
  if (miscounted) return miscounted;
  const { cseq, from, to } = request;
  if (!cseq) return bad('Bad CSeq');
  if (cseq.method !== request.method) return bad('CSeq Does Not Match');
  if (!from) return bad('Bad From');
  if (!to) return bad('Bad To');
  if (!isAcceptableTarget(from.uri) || !isAcceptableTarget(to.uri)) return bad('Bad From Or To URI');
  if (!/^[!-~\u0080-\uffff]+$/.test(request.callId)) return bad('Bad Call-ID');
  if (!hasGoodVias(request)) return bad('Bad Via');
  return faultOfTarget(request) ?? faultOfHops(request) ?? faultOfContact(request) ?? faultOfLists(request);
}

/** A second one of those of which there is one makes parsers disagree, so it is refused. */
function faultOfCounts(request: SipMessage): RequestFault | undefined {
  let seen = 0;
  let repeated = 0;
  for (const { bit } of request.names) {
    repeated |= seen & bit;
    seen |= bit;
  }
  const twice = repeated === 0 ? undefined : single.find((name) => request.count(name) > 1);
  if (twice !== undefined) return bad(`Multiple ${twice} Headers`);
  if ((seen & requiredBits) === requiredBits) return undefined;
  return bad(`Missing ${required.find((name) => !request.has(name))} Header`);
}

function hasGoodVias(request: SipMessage): boolean {
  const lines = request.all('via');
  const [first = ''] = lines;
  // As it mostly is: nobody between.
  if (lines.length === 1 && !first.includes(',')) return request.topVia !== undefined;
  if (!request.list('via').every((value) => parseVia(value) !== undefined)) return false;
  return lines.every((line) => line.split(',').every((part) => part.trim() !== ''));
}

function faultOfTarget(request: SipMessage): RequestFault | undefined {
  const uri = parseUri(request.uri);
  if (!uri) {
    // `unknownscheme:` alone has no grammar that we could hold it to; sip and sips have.
    return /^(?:sips?|tel):/i.test(request.uri) || !/^[A-Za-z][\w+.-]*:/.test(request.uri)
      ? bad('Bad Request-URI')
      : { status: 416, reason: 'Unsupported URI Scheme' };
  }
  // RFC 3261 §19.1.1, table 1: a Request-URI has no headers.
  if (uri.headers !== '') return bad('Bad Request-URI');
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips' && uri.scheme !== 'tel') {
    return { status: 416, reason: 'Unsupported URI Scheme' };
  }
  return undefined;
}

function faultOfHops(request: SipMessage): RequestFault | undefined {
  const maxForwards = request.get('max-forwards');
  if (maxForwards !== undefined) {
    if (!/^\d{1,5}$/.test(maxForwards) || Number(maxForwards) > 255) return bad('Bad Max-Forwards');
    const isOurs = request.toTag !== '' || request.method === 'OPTIONS' || request.method === 'ACK';
    if (Number(maxForwards) === 0 && !isOurs) return { status: 483, reason: 'Too Many Hops' };
  }
  if (request.method === 'ACK' || request.method === 'CANCEL') return undefined;
  const unknown = request.tokens('require').filter((tag) => !supportedExtensions.has(tag));
  if (unknown.length > 0) return { status: 420, reason: 'Bad Extension', headers: { unsupported: unknown.join(', ') } };
  return undefined;
}

function faultOfContact(request: SipMessage): RequestFault | undefined {
  const contacts = request.all('contact');
  if (contacts.length === 0) {
    const mustHave = dialogMakers.has(request.method) && !isOfRfc2543(request);
    return mustHave ? bad('Missing Contact Header') : undefined;
  }
  if (contacts.length === 1 && contacts[0] === '*')
    return request.method === 'REGISTER' ? undefined : bad('Bad Contact');
  for (const line of contacts) {
    const parsed = parseNameAddrs(line);
    if (!parsed) return bad('Bad Contact');
    for (const { uri } of parsed) if (!isAcceptableTarget(uri)) return bad('Bad Contact URI');
  }
  return undefined;
}

/** From a peer before RFC 3261, whose From stands for the Contact that it need not have (RFC 4475 §3.4.1). */
function isOfRfc2543(request: SipMessage): boolean {
  return !request.topVia?.params.get('branch')?.startsWith(branchCookie);
}

const addressLists = new Set([
  ...['route', 'record-route', 'path', 'refer-to', 'referred-by', 'p-asserted-identity', 'remote-party-id'],
  ...['diversion', 'reply-to'],
]);

function faultOfLists(request: SipMessage): RequestFault | undefined {
  for (let i = 0; i < request.names.length; i++) {
    const name = request.names[i]?.name ?? '';
    if (addressLists.has(name) && !parseNameAddrs(request.values[i] ?? '')) return bad(`Bad ${name}`);
  }
  const expires = request.get('expires');
  if (expires !== undefined && !/^\d{1,10}$/.test(expires)) return bad('Bad Expires');
  const contentType = request.get('content-type');
  if (contentType !== undefined && !isMediaType(contentType)) return bad('Bad Content-Type');
  const date = request.get('date');
  // RFC 3261 §20.17: GMT is the only zone.
  if (date !== undefined && !date.trimEnd().endsWith('GMT')) return bad('Bad Date');
  return undefined;
}

function isMediaType(value: string): boolean {
  const [type = '', subtype = ''] = (value.split(';')[0] ?? '').split('/').map((part) => part.trim());
  return isToken(type) && isToken(subtype);
}

/** Any scheme that a header may carry, but no broken sip, sips or tel URI. */
function isAcceptableTarget(uri: string): boolean {
  return parseUri(uri) !== undefined;
}

/** A response whose headers we rely on; others are dropped (RFC 3261 §18.1.2). */
export function isUsableResponse(response: SipMessage): boolean {
  for (const name of ['from', 'to', 'call-id', 'cseq']) if (response.count(name) !== 1) return false;
  if (response.list('via').length !== 1 || !response.topVia || !response.cseq) return false;
  if (!response.from || !response.to) return false;
  for (const name of ['contact', 'record-route']) {
    for (const line of response.all(name)) if (!parseNameAddrs(line) && line !== '*') return false;
  }
  return response.all('refer-to').every((line) => parseNameAddr(line) !== undefined);
}

function bad(reason: string): RequestFault {
  return { status: 400, reason };
}
