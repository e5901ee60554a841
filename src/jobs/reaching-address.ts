// Owns: which of this machine's addresses a peer is told. Pure.
import { BlockList, isIP, isIPv4 } from 'node:net';
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
  const found =
    own.find(({ cidr }) => cidr !== null && isInNetwork(remoteAddress, cidr)) ?? own.find(({ internal }) => !internal);
  return found && { address: found.address, isLoopback: found.internal };
}

/** @param network an address, or a network as CIDR writes it */
export function isInNetwork(address: string, network: string): boolean {
  const [base = '', prefix] = network.split('/');
  const version = isIP(base);
  if (version === 0 || isIP(address) !== version) return false;
  const list = new BlockList();
  const type = version === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(base, Number(prefix ?? (version === 4 ? 32 : 128)), type);
  return list.check(address, type);
}
