// Owns: what of a call is told to people and programs outside of SIP: addresses to dial, attributes, messages. Pure.
import { isIP, isIPv6 } from 'node:net';
import type { RoomRecord } from '#core/room.ts';
import type { InboundRequest } from './inbound-call.ts';

const maxAttributeLength = 256;

/** What phones are in a room: `sip` where it has that role. */
export function phoneRoleIn({ roles }: Pick<RoomRecord, 'roles'>): string {
  return roles.some(({ role }) => role === 'sip') ? 'sip' : (roles[0]?.role ?? 'sip');
}

/** Headers of the INVITE that were asked for, as attributes of the participant: `sip.h.x-customer`. */
export function attributesOf(
  { header }: Pick<InboundRequest, 'header'>,
  names: readonly string[],
): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const name of names) {
    const value = header(name);
    if (value === undefined) continue;
    attributes[`sip.h.${name.toLowerCase()}`] = value.replaceAll(/\p{C}/gu, ' ').slice(0, maxAttributeLength);
  }
  return attributes;
}

/** The host of a URI, where it is an address. */
export function hostAddressOf(uri: string): string | undefined {
  const host = /^sips?:(?:[^@]*@)?(\[[^\]]*\]|[^:;>]+)/i.exec(uri)?.[1]?.replaceAll(/[[\]]/g, '') ?? '';
  return isIP(host) === 0 ? undefined : host;
}

/** `alice@pbx.example` of a SIP address, without port and parameters; empty for what has no user. */
export function partyOf(uri: string): string {
  return (/^sips?:([^@;]+@(?:\[[^\]]*\]|[^:;>]+))/i.exec(uri)?.[1] ?? '').toLowerCase();
}

/** PINs that were dialled or pressed (SIP INFO) are no business of who looks at a ladder. */
export function withoutKeys(text: string): string {
  return text
    .replaceAll(/(sips?:[^\s@;:<>*]+\*)\d{1,16}(?=[@;:])/gi, '$1(hidden)')
    .replaceAll(/;pin=[^;>?@:\s]*/gi, ';pin=(hidden)')
    .replaceAll(/^(\s*signal\s*=).*$/gim, '$1(hidden)')
    .replace(/^(content-type\s*:\s*application\/dtmf\b(?!-)[\s\S]*?\r?\n\r?\n)[\s\S]*$/im, '$1(hidden)');
}

interface ListenPoint {
  readonly protocol: string;
  readonly port: number;
}

/**
 * What people dial to reach a room, the plainest first.
 * @param host as the client of the API named it; the configured one counts more
 */
export function addressesOf(
  name: string,
  host: string,
  points: readonly ListenPoint[],
  { externalAddress, publicHost }: { externalAddress?: string | undefined; publicHost?: string | undefined },
): string[] {
  const shown = publicHost ?? externalAddress ?? host;
  const target = isIPv6(shown) ? `[${shown}]` : shown;
  const portOf = (protocol: string) => points.find((point) => point.protocol === protocol)?.port;
  const plain = portOf('udp') ?? portOf('tcp');
  const tls = portOf('tls');
  const withPort = (port: number, usual: number) => (port === usual ? target : `${target}:${port}`);
  const address = `sip:${name}@${plain === undefined ? '' : withPort(plain, 5060)}`;
  return [
    ...(plain === undefined ? [] : [portOf('udp') === undefined ? `${address};transport=tcp` : address]),
    ...(tls === undefined ? [] : [`sips:${name}@${withPort(tls, 5061)}`]),
  ];
}

/**
 * Whether `host` or `host:port` of an address is this gateway.
 * @param hostPorts `udp/192.0.2.1:5060,…` as the server tells where it listens
 */
export function isOurHost(
  host: string,
  hostPorts: string,
  {
    externalAddress,
    publicHost,
    realm,
  }: { externalAddress?: string | undefined; publicHost?: string | undefined; realm: string },
): boolean {
  const [, name = host, port] = /^(\[[^\]]*\]|[^:]+)(?::(\d+))?$/.exec(host.toLowerCase()) ?? [];
  const points = hostPorts.split(',').map((point) => /^[^/]*\/(.*):(\d+)$/.exec(point) ?? []);
  const isNamed = [externalAddress, publicHost, realm].some(
    (one) => one?.toLowerCase() === name.replaceAll(/[[\]]/g, ''),
  );
  const ports = port === undefined ? ['5060', '5061'] : [port];
  return points.some(
    ([, at, ours = '']) => (isNamed || at === name) && ((isNamed && port === undefined) || ports.includes(ours)),
  );
}
