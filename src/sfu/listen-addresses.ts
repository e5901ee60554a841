// Owns: on which addresses and ports of this machine media is listened for, and what is wrong when it cannot be.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { types } from 'mediasoup';
import type { SfuConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';

export interface ListenAddress {
  readonly ip: string;
  readonly announcedAddress?: string | undefined;
}

const isWildcard = (ip: string): boolean => ip === '0.0.0.0' || ip === '::';

/**
 * Addresses to offer as ICE candidates: public ones first, loopback last. Link-local IPv6 addresses are left out, as
 * they mean nothing without the interface they belong to (RFC 4007 §6).
 */
export function localAddresses(interfaces: Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>): string[] {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ address }) => !/^fe[89ab]/i.test(address));
  const rank = ({ family, internal }: NetworkInterfaceInfo): number => (internal ? 2 : 0) + (family === 'IPv6' ? 1 : 0);
  const ranked = usable.sort((a, b) => rank(a) - rank(b)).map(({ address }) => address);
  return [...new Set(ranked)];
}

/** Those that are configured; all of this machine where none is, and in place of a wildcard that announces nothing. */
export async function resolveListenAddresses(configured: SfuConfig['listen']): Promise<readonly ListenAddress[]> {
  const found = localAddresses(networkInterfaces()).map((ip): ListenAddress => ({ ip }));
  const resolved = configured.flatMap((address): readonly ListenAddress[] => {
    if (!isWildcard(address.ip) || address.announcedAddress !== undefined) return [address];
    return found.filter(({ ip }) => isIPv6(ip) === isIPv6(address.ip));
  });
  if (configured.length === 0) resolved.push(...found);
  const unique = [...new Map(resolved.map((address) => [address.ip, address])).values()];
  const isExplicit = (ip: string): boolean => configured.some((address) => address.ip === ip);
  // An address that we found may still refuse: IPv6 that is tentative, or turned off for sockets.
  const usable = await Promise.all(unique.map(async ({ ip }) => isExplicit(ip) || (await canListenUdp(ip, 0))));
  return unique.filter((_, i) => usable[i]);
}

/** @param port 0 picks a free one for each address and protocol */
export function listenInfosFor(
  addresses: readonly ListenAddress[],
  port: number,
  { hasUdp, hasTcp }: Pick<SfuConfig, 'hasUdp' | 'hasTcp'>,
): types.TransportListenInfo[] {
  const protocols = [...(hasUdp ? (['udp'] as const) : []), ...(hasTcp ? (['tcp'] as const) : [])];
  // UDP of every address before TCP of any: the order is the preference that ICE candidates get.
  return protocols.flatMap((protocol) =>
    addresses.map(({ ip, announcedAddress }) => ({
      protocol,
      ip,
      ...(announcedAddress === undefined ? {} : { announcedAddress }),
      ...(port === 0 ? {} : { port }),
    })),
  );
}

/**
 * Loopback ports for RTP between SFU workers and to media workers, out of the way of what may be configured: SIP's RTP
 * ends at 29999, and a replaced worker needs its own port again.
 */
export function loopbackPortRange(firstPort: number, workers: number): types.TransportPortRange {
  const isHigh = firstPort + workers > 45_000;
  return isHigh ? { min: 30_000, max: 43_999 } : { min: 45_000, max: 65_535 };
}

/** Finds the port that made a worker refuse, and says what to do about it. */
export async function explainListenFailure(
  listenInfos: readonly types.TransportListenInfo[],
  cause: unknown,
): Promise<GatewayError> {
  for (const { protocol, ip, port = 0 } of listenInfos) {
    const isFree = await (protocol === 'udp' ? canListenUdp(ip, port) : canListenTcp(ip, port));
    if (isFree) continue;
    const where = `${protocol.toUpperCase()} ${isIPv6(ip) ? `[${ip}]` : ip}:${port}`;
    if (await canListenUdp(ip, 0)) {
      const advice = 'Stop the program that uses it, or choose other ports with sfu.firstPort or --port-base.';
      return new GatewayError('conflict', `The media port ${where} is in use. ${advice}`, { cause });
    }
    const advice = 'Correct sfu.listen, or leave it empty for every address of this machine.';
    return new GatewayError('conflict', `Media cannot listen on ${where}: no such address here. ${advice}`, { cause });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new GatewayError('internal', `Media cannot listen: ${reason}.`, { cause });
}

async function canListenUdp(ip: string, port: number): Promise<boolean> {
  const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4');
  try {
    socket.bind(port, ip);
    await once(socket, 'listening');
    return true;
  } catch {
    // In use or not ours; the caller only asks whether.
    return false;
  } finally {
    socket.close();
  }
}

async function canListenTcp(ip: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, ip);
    await once(server, 'listening');
    return true;
  } catch {
    // In use or not ours; the caller only asks whether.
    return false;
  } finally {
    server.close();
  }
}
