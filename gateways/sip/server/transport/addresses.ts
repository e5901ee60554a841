import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

export interface AdvertiseOptions {
  /** Public address of this machine behind NAT; told to peers outside `localNetworks`. */
  readonly externalAddress?: string | undefined;
  /** CIDR; who is in them is told the local address. */
  readonly localNetworks: readonly string[];
}

/** @throws RangeError for what is neither address nor CIDR */
export function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) throw new RangeError(`"${network}" is no IP address or CIDR network.`);
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

export function isInside(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** `::ffff:192.0.2.1` of a dual-stack socket as the IPv4 address it is, and link-local without its zone. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  if (address.startsWith('::ffff:') && isIPv4(address.slice(7))) return address.slice(7);
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
}

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

const refreshMs = 10_000;
const maxRemembered = 4096;

/** Which address of ours a peer is told. Wildcard sockets do not know: the interface whose subnet it is in decides. */
export class Advertiser {
  readonly #options: AdvertiseOptions;
  readonly #local: BlockList;
  readonly #remembered = new Map<string, string>();
  #readAtMs = Number.NEGATIVE_INFINITY;
  #interfaces: { address: string; list: BlockList; isInternal: boolean }[] = [];

  constructor(options: AdvertiseOptions) {
    this.#options = options;
    this.#local = blockListOf(options.localNetworks);
  }

  /** @param bound the address that the socket is bound to, perhaps a wildcard */
  addressFor(remote: string, bound: string): string {
    const external = this.#options.externalAddress;
    if (external === undefined && !isWildcard(bound)) return bound;
    const nowMs = performance.now();
    if (nowMs - this.#readAtMs > refreshMs) this.#readInterfaces(nowMs);
    const key = `${bound} ${remote}`;
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const found = this.#choose(remote, bound, external);
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(key, found);
    return found;
  }

  /** Every address that requests to ourselves may name. */
  ownAddresses(): readonly string[] {
    const nowMs = performance.now();
    if (nowMs - this.#readAtMs > refreshMs) this.#readInterfaces(nowMs);
    const own = this.#interfaces.map(({ address }) => address);
    return this.#options.externalAddress === undefined ? own : [...own, this.#options.externalAddress];
  }

  #choose(remote: string, bound: string, external: string | undefined): string {
    if (external !== undefined && isIPv6(remote) === isIPv6(external) && !isInside(this.#local, remote))
      return external;
    if (!isWildcard(bound)) return bound;
    const wantsV6 = isIPv6(remote);
    const family = this.#interfaces.filter(({ address }) => isIPv6(address) === wantsV6);
    const near = family.find(({ list }) => isInside(list, remote));
    const outward = family.find(({ isInternal, address }) => !isInternal && !address.startsWith('fe80'));
    return (near ?? outward ?? family[0])?.address ?? (wantsV6 ? '::1' : '127.0.0.1');
  }

  #readInterfaces(nowMs: number): void {
    this.#readAtMs = nowMs;
    this.#remembered.clear();
    this.#interfaces = Object.values(networkInterfaces())
      .flatMap((infos) => infos ?? [])
      .map(({ address, cidr, internal }) => ({
        address: plainAddress(address),
        list: blockListOf([plainAddress((cidr ?? address).split('/')[0]) + (cidr ? `/${cidr.split('/')[1]}` : '')]),
        isInternal: internal,
      }));
  }
}
