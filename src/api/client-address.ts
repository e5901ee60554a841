// Owns: who is asking, as an address. Pure. May import: core.
import { BlockList, isIP } from 'node:net';

/** @param proxies addresses or networks (`10.0.0.0/8`) whose X-Forwarded-* is believed @throws Error on anything else */
export function parseProxies(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', prefix] = proxy.split('/');
    const version = isIP(address);
    const bits = prefix === undefined ? (version === 6 ? 128 : 32) : Number(prefix);
    if (version === 0 || !Number.isInteger(bits) || bits < 0 || bits > (version === 6 ? 128 : 32)) {
      throw new Error(`http.trustedProxies: "${proxy}" is neither an IP address nor a network like 10.0.0.0/8`);
    }
    list.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

export function isTrusted(proxies: BlockList, address: string): boolean {
  const plain = unmapped(address);
  const version = isIP(plain);
  return version !== 0 && proxies.check(plain, version === 6 ? 'ipv6' : 'ipv4');
}

/**
 * The nearest address that is not one of our proxies. X-Forwarded-For is read from its end: what stands before the
 * first stranger was written by that stranger.
 * @param forwardedFor the header, all of its lines joined by commas
 */
export function clientAddress(remoteAddress: string, forwardedFor: string | undefined, proxies: BlockList): string {
  let client = unmapped(remoteAddress);
  if (!forwardedFor || !isTrusted(proxies, client)) return client;
  for (const hop of forwardedFor.split(',').slice(-16).reverse()) {
    const address = unmapped(withoutPort(hop.trim()));
    if (isIP(address) === 0) break;
    client = address;
    if (!isTrusted(proxies, address)) break;
  }
  return client;
}

/** One household or server has a whole /64 of IPv6: counted by address it would never meet a limit. */
export function limitKey(address: string): string {
  const plain = unmapped(address);
  if (isIP(plain) !== 6) return plain;
  const [head = '', tail = ''] = plain.toLowerCase().split('%')[0]?.split('::') ?? [];
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  // Zeros stand in for `::`; only the first four of the eight groups count.
  const zeros = plain.includes('::') ? Math.max(0, 8 - left.length - right.length) : 0;
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right].slice(0, 4);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}

/** `::ffff:192.0.2.1` is how a dual-stack socket writes an IPv4 peer. */
function unmapped(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}

function withoutPort(hop: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
}
