// Owns: what the top Via of a request says: which transaction it is of, and where its responses go.
import type { SipMessage } from '../message/message.ts';
import { branchCookie, formatVia, splitTopVia, type Via } from '../message/via.ts';
import { defaultPort, type Flow, protocolOfVia } from '../transport/flow.ts';

/** @see RFC 3261 §17.2.3 */
export function serverKey(request: SipMessage, via: Via, method: string): string {
  const branch = via.params.get('branch') ?? '';
  const sentBy = `${via.host}:${via.port ?? ''}`;
  // RFC 4475 §3.2.1: the cookie alone is unique to nobody.
  if (branch.length > branchCookie.length && branch.startsWith(branchCookie)) return `${branch} ${sentBy} ${method}`;
  // RFC 2543: what the request is, without what an ACK or CANCEL to it has otherwise (To tag, method).
  return `${request.uri} ${request.fromTag} ${request.callId} ${request.cseq?.number ?? ''} ${sentBy} ${branch} ${method}`;
}

/** RFC 3581 §4 for datagrams that ask for it, else RFC 3261 §18.2.2; of a connection: where another one would go. */
export function responsePortOf(via: Via, flow: Flow): number {
  if (!flow.isReliable && via.params.has('rport')) return flow.remotePort;
  return via.port ?? defaultPort(flow.protocol);
}

/** Notes in the top Via where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4). */
export function stampVia(request: SipMessage, via: Via, flow: Flow): void {
  const asked = via.params.has('rport');
  if (!asked && via.host === flow.remoteAddress && protocolOfVia(via.transport) === flow.protocol) return;
  if (asked) via.params.set('rport', String(flow.remotePort));
  if (asked || via.host !== flow.remoteAddress) via.params.set('received', flow.remoteAddress);
  const index = request.names.findIndex(({ name }) => name === 'via');
  if (index < 0) return;
  const { rest } = splitTopVia(request.values[index] ?? '');
  request.values[index] = rest === '' ? formatVia(via) : `${formatVia(via)}, ${rest}`;
}
