import type { SipMessage } from '../message/message.ts';
import { parseNameAddrs } from '../message/name-addr.ts';

/** The hops that the application names: `<sip:a;lr>, <sip:b;lr>`, or one URI; none where it names nothing sound. */
export function hopsOf(proxyUri: string): readonly string[] {
  if (proxyUri === '') return [];
  if (!proxyUri.startsWith('<')) return [proxyUri];
  return parseNameAddrs(proxyUri)?.map(({ uri }) => uri) ?? [];
}

/**
 * RFC 3261 §8.1.2, RFC 3608 §5: a route goes along with the request. An outbound proxy that says nothing of loose routing
 * is only where it is sent.
 */
export function preloaded(request: SipMessage, hops: readonly string[]): SipMessage {
  const isRoute = hops.length > 1 || /;lr(?:[;=]|$)/i.test(hops[0] ?? '');
  if (isRoute) for (const hop of hops) request.add('route', `<${hop}>`);
  return request;
}
