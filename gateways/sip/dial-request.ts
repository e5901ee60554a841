// Owns: what an outbound INVITE may be asked to say; nothing of it can become a line of its own. Pure.
import type { DialOptions } from '#core/call.ts';
import { GatewayError } from '#core/errors.ts';
import type { Headers } from './srf-shapes.ts';

const uriPattern =
  /^(?:sips?:(?:[^\s<>"|@,]{1,256}@)?(?:\[[0-9a-f:.]+\]|[\w.-]{1,253})(?::\d{1,5})?(?:;[\w.%~-]+(?:=[\w.%~+-]+)?)*|tel:\+?[\d().-]+(?:;[\w.-]+(?:=[\w.+-]+)?)*)$/i;
const userPattern = /^[\w.!~*'()+&=$-]{1,128}$/;
/** Those that say something about a call; what the call itself needs, or what carries credentials, is not among them. */
const allowed =
  /^(x-.+|p-asserted-identity|p-preferred-identity|p-charge-info|remote-party-id|privacy|diversion|history-info|subject|s|priority|organization|call-info|alert-info|accept-contact|j|reject-contact|reply-to|user-to-user|geolocation|user-agent|reason|answer-mode|in-reply-to|warning)$/i;
/** Also where the configuration names them. */
const reserved =
  /^(via|v|from|f|to|t|call-id|i|cseq|contact|m|route|record-route|max-forwards|content-.*|c|l|e|allow|require|proxy-require|supported|k|session-expires|x|min-se|authorization|proxy-authorization|rack|rseq)$/i;
const maxHeaders = 32;

/** @throws GatewayError `invalid_request` with what is wrong */
export function assertDialable(uri: string, what = 'to'): void {
  if (uri.length > 512 || !uriPattern.test(uri)) {
    throw invalid(what, 'is no SIP address; write sip:user@host, sip:user@host:port;transport=tcp or tel:+number.');
  }
}

/**
 * Headers of the INVITE.
 * @param more names that the configuration allows besides
 * @throws GatewayError `invalid_request`
 */
export function inviteHeaders(
  { from, displayName, headers = {} }: Pick<DialOptions, 'from' | 'displayName' | 'headers'>,
  roomName: string,
  more: readonly string[] = [],
): Headers {
  const named = new Set(more.map((name) => name.toLowerCase()));
  const own: Headers = {};
  const entries = Object.entries(headers);
  if (entries.length > maxHeaders) throw invalid('headers', `are more than ${maxHeaders}.`);
  for (const [name, value] of entries) {
    if (!/^[A-Za-z][\w.!%*+`'~-]{0,63}$/.test(name)) throw invalid(`headers.${name.slice(0, 64)}`, 'is no name.');
    if (reserved.test(name)) throw invalid(`headers.${name}`, 'is set by the call itself.');
    if (!allowed.test(name) && !named.has(name.toLowerCase())) {
      throw invalid(`headers.${name}`, 'is none of those that a call may bring; sip.headers can allow it.');
    }
    if (value.length > 1_024 || /\p{Cc}/u.test(value))
      throw invalid(`headers.${name}`, 'has a value that cannot be sent.');
    own[name.toLowerCase()] = value;
  }
  const name = (displayName ?? '').replaceAll(/\p{C}/gu, '').replaceAll(/["\\]/g, '\\$&');
  const address = from === undefined ? `sip:${roomName}@localhost` : addressOf(from);
  return { ...own, from: name === '' ? `<${address}>` : `"${name}" <${address}>` };
}

function addressOf(from: string): string {
  if (userPattern.test(from)) return `sip:${from}@localhost`;
  assertDialable(from, 'from');
  return from;
}

function invalid(path: string, message: string): GatewayError {
  return new GatewayError('invalid_request', `"${path}" ${message}`, { fields: [{ path, message }] });
}
