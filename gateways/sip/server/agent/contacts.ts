import { isIP } from 'node:net';
import { privateNetworks } from '#core/private-networks.ts';
import type { RemoteEnd } from '../dialog/dialog.ts';
import type { SipMessage } from '../message/message.ts';
import { parseNameAddrs } from '../message/name-addr.ts';
import { formatHostPort, parseUri, type SipUri } from '../message/uri.ts';
import { blockListOf, isInside } from '../transport/addresses.ts';
import { type Flow, isSecure, type Protocol } from '../transport/flow.ts';

const unroutable = blockListOf(privateNetworks);

/** Contact that leads back to where a flow is received. */
export function contactFor(flow: Flow, isSips = false): string {
  const transport = flow.protocol === 'udp' ? '' : `;transport=${flow.protocol}`;
  const scheme = isSips && isSecure(flow.protocol) ? 'sips' : 'sip';
  return `<${scheme}:${formatHostPort(flow.localAddress, flow.localPort)}${transport}>`;
}

/** A Contact that nobody outside its network reaches, from somebody outside its network. */
export function isBehindNat(contact: SipUri, flow: Flow): boolean {
  if (contact.host.endsWith('.invalid')) return true;
  if (isIP(contact.host) === 0 || contact.host === flow.remoteAddress) return false;
  return isInside(unroutable, contact.host);
}

/** The other end of a dialog as its request or response tells it; undefined where it has no usable Contact. */
export function remoteEndOf(message: SipMessage, flow: Flow): RemoteEnd | undefined {
  const target = parseNameAddrs(message.get('contact') ?? '')?.[0]?.uri;
  const parsed = target === undefined ? undefined : parseUri(target);
  if (target === undefined || !parsed) return undefined;
  const routes = message.list('record-route');
  // A request lists the nearest proxy first, a response last (RFC 3261 §12.1.1, §12.1.2).
  const routeSet = message.isRequest ? routes : routes.reverse();
  const [tag, header] = message.isRequest
    ? [message.fromTag, message.get('from') ?? '']
    : [message.toTag, message.get('to') ?? ''];
  return { tag, header, target, routeSet, flow: reusableFlow(parsed, routeSet, flow) };
}

/**
 * The other end as a request in its dialog comes from it. A phone behind NAT has another place once its mapping is lost, and
 * another connection once that broke; that it is the same one is known by its tags and CSeq.
 */
export function remoteEndAt(remote: RemoteEnd, request: SipMessage, flow: Flow): RemoteEnd {
  const { flow: before } = remote;
  if (before?.isOpen && isSamePlace(before, flow)) return remote;
  const isRefresh = request.method === 'INVITE' || request.method === 'UPDATE';
  const contact = isRefresh ? parseNameAddrs(request.get('contact') ?? '')?.[0]?.uri : undefined;
  const target = parseUri(contact ?? remote.target);
  const now = target && reusableFlow(target, remote.routeSet, flow);
  return now ? { ...remote, flow: now } : remote;
}

function isSamePlace(one: Flow, other: Flow): boolean {
  const isSameAddress = one.remoteAddress === other.remoteAddress && one.remotePort === other.remotePort;
  return one.protocol === other.protocol && isSameAddress;
}

/** Connections are used both ways; UDP goes back to the source only where the Contact is unreachable. */
function reusableFlow(contact: SipUri, routeSet: readonly string[], flow: Flow): Flow | undefined {
  const first = routeSet[0];
  if (first === undefined) return flow.isReliable || isBehindNat(contact, flow) ? flow : undefined;
  const hop = parseUri(parseNameAddrs(first)?.[0]?.uri ?? '');
  const isThatHop = hop?.host === flow.remoteAddress && transportOf(hop) === flow.protocol;
  return flow.isReliable && isThatHop ? flow : undefined;
}

function transportOf(uri: SipUri): Protocol | undefined {
  const transport = uri.params.get('transport')?.toLowerCase();
  if (uri.scheme === 'sips') return 'tls';
  return transport === 'tcp' || transport === 'tls' || transport === 'ws' || transport === 'wss'
    ? transport
    : undefined;
}

/** drachtio's placeholder for "this server", in a header that the application wrote. */
export function fillLocalhost(value: string, flow: Flow): string {
  if (!value.includes('localhost')) return value;
  const local = formatHostPort(flow.localAddress, flow.localPort);
  const filled = value
    .replaceAll(/@localhost(?::\d+)?/g, `@${local}`)
    .replaceAll(/(sips?:)localhost(?::\d+)?/g, `$1${local}`);
  return filled;
}

/** A Contact of the application's: besides the placeholder it gets the transport that it will be reached by. */
export function fillContact(value: string, flow: Flow): string {
  if (!value.includes('localhost')) return value;
  const filled = fillLocalhost(value, flow);
  if (flow.protocol === 'udp' || /;transport=/i.test(filled)) return filled;
  const transport = `;transport=${flow.protocol}`;
  const bracket = filled.indexOf('>');
  if (bracket >= 0) return `${filled.slice(0, bracket)}${transport}${filled.slice(bracket)}`;
  const semicolon = filled.indexOf(';');
  return semicolon < 0
    ? `<${filled}${transport}>`
    : `<${filled.slice(0, semicolon)}${transport}>${filled.slice(semicolon)}`;
}
