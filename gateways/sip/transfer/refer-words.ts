// Owns: the headers and bodies of REFER, NOTIFY and Replaces. Pure. @see RFC 3515, RFC 3420, RFC 3891
import { GatewayError } from '#core/errors.ts';
import { contactsIn } from '../trunks/register-words.ts';

/** A dialog as its own end of it sees it: `toTag` is that end's. */
export interface Replaced {
  readonly callId: string;
  readonly toTag: string;
  readonly fromTag: string;
  /** Only while it rings. */
  readonly isEarlyOnly: boolean;
}

export interface ReferTarget {
  /** Without headers, and without `method`. */
  readonly uri: string;
  readonly replaces: Replaced | undefined;
}

const maxHeader = 2_048;
const uriPattern = /^(sips?:[^\s<>"|,?]{1,512}|tel:[+\d().;=\w-]{1,128})$/i;

/** @throws GatewayError `invalid_request` where there is none, or several (RFC 3515 §2.4.2); `unprocessable` for what is no call */
export function readReferTo(header: string | undefined): ReferTarget {
  const [found, ...others] = contactsIn((header ?? '').slice(0, maxHeader));
  if (!found || others.length > 0) {
    throw new GatewayError('invalid_request', 'A REFER has one Refer-To with a SIP or tel address.');
  }
  const [address = '', query = ''] = splitOnce(found.uri, '?');
  const method = /;method=([^;]*)/i.exec(address)?.[1];
  if (method !== undefined && method.toUpperCase() !== 'INVITE') {
    throw new GatewayError(
      'unprocessable',
      `Only calls can be transferred; the REFER asks for ${method.slice(0, 16)}.`,
    );
  }
  const uri = address.replace(/;method=[^;]*/i, '');
  if (!uriPattern.test(uri)) throw new GatewayError('invalid_request', 'The Refer-To names no address to call.');
  const replaces = query.split('&').map((part) => splitOnce(part, '='));
  const [, value] = replaces.find(([name = '']) => name.toLowerCase() === 'replaces') ?? [];
  return { uri, replaces: value === undefined ? undefined : readReplaces(unescaped(value)) };
}

/** @throws GatewayError `invalid_request` */
export function readReplaces(header: string): Replaced {
  const [callId = '', ...params] = header
    .slice(0, maxHeader)
    .split(';')
    .map((part) => part.trim());
  const values = new Map(
    params.map((part) => splitOnce(part, '=')).map(([name = '', value]) => [name.toLowerCase(), value]),
  );
  const toTag = values.get('to-tag') ?? '';
  const fromTag = values.get('from-tag') ?? '';
  if (callId === '' || toTag === '' || fromTag === '' || !/^[\x21-\x7e]+$/.test(`${callId}${toTag}${fromTag}`)) {
    throw new GatewayError('invalid_request', 'Replaces names a Call-ID, a to-tag and a from-tag.');
  }
  return { callId, toTag, fromTag, isEarlyOnly: values.has('early-only') };
}

export function replacesHeader({ callId, toTag, fromTag }: Omit<Replaced, 'isEarlyOnly'>): string {
  return `${callId};to-tag=${toTag};from-tag=${fromTag}`;
}

/** The Refer-To of a transfer. */
export function referTo(uri: string, replaces?: Omit<Replaced, 'isEarlyOnly'>): string {
  const query = replaces ? `?Replaces=${encodeURIComponent(replacesHeader(replaces))}` : '';
  return `<${uri.replace(/\?.*$/s, '')}${query}>`;
}

export const fragment = (status: number, reason: string): string => `SIP/2.0 ${status} ${reason}\r\n`;

/** Of a NOTIFY; undefined for a body that is none. */
export function readFragment(body: string): { readonly status: number; readonly reason: string } | undefined {
  const [, status, reason] = /^SIP\/2\.0 ([1-6]\d\d) ?([^\r\n]{0,128})/i.exec(body.trimStart()) ?? [];
  return status === undefined ? undefined : { status: Number(status), reason: reason ?? '' };
}

export function isTerminated(state: string | undefined): boolean {
  return /^\s*terminated\b/i.test(state ?? '');
}

function splitOnce(text: string, by: string): [string, string] | [string] {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + by.length)];
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
