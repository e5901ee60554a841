// Owns: the addresses that a call through a trunk is sent to. Pure.
import type { TrunkOutbound, TrunkTransport } from '#core/trunk.ts';

export interface HostTarget {
  readonly host: string;
  readonly uri: string;
  /** Sent here instead (a Service-Route). */
  readonly proxy: string | undefined;
}

/** UDP is what a name without more means to DNS: SRV and NAPTR may say otherwise, so it is not written out. */
export function uriOfHost(host: string, transport: TrunkTransport, user?: string): string {
  const suffix = transport === 'udp' ? '' : `;transport=${transport}`;
  return `sip:${user === undefined ? '' : `${user}@`}${host}${suffix}`;
}

export function targetsOf(
  { hosts, transport = 'udp' }: TrunkOutbound,
  number: string,
  serviceRoute: string | undefined,
): HostTarget[] {
  const user = escapedUser(number);
  return hosts.map((host) => ({ host, uri: uriOfHost(host, transport, user), proxy: serviceRoute }));
}

/** What may stand before the @ as it is (RFC 3261 §25.1), the rest escaped. */
function escapedUser(user: string): string {
  return user.replaceAll(/[^\w.!~*'()&=+$,?/-]/gu, (character) => encodeURIComponent(character));
}
