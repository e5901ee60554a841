// Owns: which of this machine's addresses a peer is told. Pure.
import { BlockList, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** The address in the network of the peer, else the first that is not loopback. */
export function reachingAddress(
  remoteAddress: string,
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>,
): { readonly address: string; readonly isLoopback: boolean } | undefined {
  const family = isIPv4(remoteAddress) ? 'IPv4' : 'IPv6';
  const own = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === family);
  const found = own.find((address) => isInNetwork(remoteAddress, address)) ?? own.find(({ internal }) => !internal);
  return found && { address: found.address, isLoopback: found.internal };
}

function isInNetwork(remoteAddress: string, { cidr, family }: NetworkInterfaceInfo): boolean {
  const [network, prefix] = cidr?.split('/') ?? [];
  if (network === undefined || prefix === undefined) return false;
  const list = new BlockList();
  const type = family === 'IPv4' ? 'ipv4' : 'ipv6';
  list.addSubnet(network, Number(prefix), type);
  return list.check(remoteAddress, type);
}
