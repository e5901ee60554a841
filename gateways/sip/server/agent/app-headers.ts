import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { fillContact, fillLocalhost } from './contacts.ts';

/** What the server writes itself, whatever the application says. */
const serverHeaders = new Set([
  'via',
  'route',
  'rseq',
  'record-route',
  'content-length',
  'from',
  'to',
  'call-id',
  'cseq',
]);
const withLocalhost = new Set(['p-asserted-identity', 'referred-by', 'p-preferred-identity', 'diversion']);

/** Copies the application's own headers and body onto a message that has the server's. */
export function addAppHeaders(from: SipMessage, onto: SipMessage, flow: Flow, without?: ReadonlySet<string>): void {
  for (let i = 0; i < from.names.length; i++) {
    const header = from.names[i];
    if (!header || serverHeaders.has(header.name) || without?.has(header.name)) continue;
    const value = from.values[i] ?? '';
    if (header.name === 'max-forwards' || header.name === 'contact') onto.remove(header.name);
    onto.names.push(header);
    if (header.name === 'contact') onto.values.push(fillContact(value, flow));
    else onto.values.push(withLocalhost.has(header.name) ? fillLocalhost(value, flow) : value);
  }
  onto.body = from.body;
}

/** drachtio's rule for a body without Content-Type: SDP is known by its first line, and nothing else is guessed. */
export function completeContentType(message: SipMessage): boolean {
  if (message.body.length === 0 || message.has('content-type')) return true;
  if (message.body.toString('latin1', 0, 3) !== 'v=0') return false;
  message.add('content-type', 'application/sdp');
  return true;
}

export function isSdp(message: SipMessage): boolean {
  return message.body.length > 0 && (message.get('content-type') ?? '').toLowerCase().startsWith('application/sdp');
}
