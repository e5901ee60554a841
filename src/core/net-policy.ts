// Owns: where this server may be sent by a URL that somebody gave it (SSRF). Pure; names are resolved by a function
// passed in. May import: core only.
import { GatewayError } from './errors.ts';

export interface NetPolicyRules {
  /** Without the colon: `rtsp`, `rtmps`. */
  readonly schemes: readonly string[];
  /** CIDR ranges or single addresses that are let through although they are loopback, link-local or the like. */
  readonly allow?: readonly string[] | undefined;
  /** Ranges that are refused whatever `allow` says. */
  readonly deny?: readonly string[] | undefined;
  /** With `deny`, only what `allow` names is reached at all. */
  readonly otherwise?: 'allow' | 'deny' | undefined;
  /** Empty or absent: every port. */
  readonly ports?: readonly number[] | undefined;
}

export interface NetTarget {
  readonly scheme: string;
  /** Name or address; IPv6 with or without brackets. */
  readonly host: string;
  readonly port: number;
}

/** All addresses of a name, as `dns.lookup(name, { all: true })` has them. */
export type LookupAll = (host: string) => Promise<readonly string[]>;

/** What nobody means who adds a camera: this machine, cloud metadata, everybody at once. RFC 6890 and its successors. */
const specialRanges: readonly (readonly [range: string, what: string])[] = [
  ['0.0.0.0/8', 'this machine'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['100.100.100.200/32', 'cloud metadata'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['::/128', 'this machine'],
  ['::1/128', 'loopback'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['fd00:ec2::254/128', 'cloud metadata'],
  ['ff00::/8', 'multicast'],
  ['2001::/32', 'Teredo'],
];

/** An address as 128 bits, IPv4 as IPv4-mapped IPv6. */
export type Bits = bigint;

export interface Range {
  readonly base: Bits;
  readonly prefixLength: number;
}

export class NetPolicy {
  readonly #schemes: ReadonlySet<string>;
  readonly #allow: readonly Range[];
  readonly #deny: readonly Range[];
  readonly #otherwise: 'allow' | 'deny';
  readonly #ports: ReadonlySet<number>;
  readonly #special: readonly (readonly [Range, string])[];

  /** @throws GatewayError `invalid_request` for a range that is none */
  constructor(rules: NetPolicyRules) {
    this.#schemes = new Set(rules.schemes.map((scheme) => scheme.toLowerCase()));
    this.#allow = (rules.allow ?? []).map(parseRange);
    this.#deny = (rules.deny ?? []).map(parseRange);
    this.#otherwise = rules.otherwise ?? 'allow';
    this.#ports = new Set(rules.ports);
    this.#special = specialRanges.map(([range, what]) => [parseRange(range), what] as const);
  }

  /**
   * @returns the one address to connect to; use it and not the name, whose next answer may be another
   * @throws GatewayError `forbidden` with the reason, `upstream_failed` when the name has no address
   */
  async resolve(target: NetTarget, lookup: LookupAll): Promise<string> {
    this.assertTarget(target);
    const host = target.host.replace(/^\[|\]$/g, '');
    if (parseAddress(host) !== undefined) {
      const problem = this.addressProblem(host);
      if (problem) throw new GatewayError('forbidden', `${target.host} may not be reached: ${problem}.`);
      return host;
    }
    const addresses = await lookup(host).catch((cause: unknown) => {
      throw new GatewayError('upstream_failed', `The name ${host} could not be resolved.`, { cause });
    });
    const allowed = addresses.find((address) => this.addressProblem(address) === undefined);
    if (allowed !== undefined) return allowed;
    const [first] = addresses;
    if (first === undefined) throw new GatewayError('upstream_failed', `The name ${host} has no address.`);
    throw new GatewayError('forbidden', `${host} may not be reached: ${this.addressProblem(first)}.`);
  }

  /** @throws GatewayError `forbidden` for a scheme or port that is not allowed */
  assertTarget({ scheme, port }: NetTarget): void {
    if (!this.#schemes.has(scheme.toLowerCase())) {
      throw new GatewayError(
        'forbidden',
        `URLs with ${scheme}: are not allowed; ${[...this.#schemes].join(', ')} are.`,
      );
    }
    if (this.#ports.size > 0 && !this.#ports.has(port)) {
      throw new GatewayError('forbidden', `Port ${port} is not one that may be reached.`);
    }
  }

  /** @returns why the address may not be reached, to be shown to the user; undefined when it may */
  addressProblem(address: string): string | undefined {
    const bits = parseAddress(address);
    if (bits === undefined) return 'it is no IP address';
    // An IPv4 address can hide in an IPv6 one, and the network would unpack it: both have to be allowed.
    const forms = [bits, ...embeddedIpv4(bits)];
    if (forms.some((form) => this.#deny.some((range) => contains(range, form)))) return 'its network is denied here';
    if (forms.every((form) => this.#allow.some((range) => contains(range, form)))) return undefined;
    for (const [range, what] of this.#special) {
      if (forms.some((form) => contains(range, form)))
        return `${what} addresses need an explicit allow (netPolicy.allow)`;
    }
    return this.#otherwise === 'deny' ? 'its network is not among those allowed' : undefined;
  }
}

/**
 * What can be said of a URL before its name is looked up, which is done, and judged again, at each connection.
 * @throws GatewayError `forbidden` for an address that may not be reached, `invalid_request` for no URL
 */
export function assertMayPull(policy: NetPolicy, url: string): void {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/?#]*@)?(\[[^\]]+\]|[^/?#:@]+)(?::(\d+))?/i.exec(url);
  const [, scheme = '', authority = '', port] = match ?? [];
  if (!match) throw new GatewayError('invalid_request', 'A URL looks like scheme://host/path.');
  const host = authority.replace(/^\[|\]$/g, '');
  const defaultPort = defaultPorts[scheme.toLowerCase()] ?? 0;
  policy.assertTarget({ scheme, host, port: port === undefined ? defaultPort : Number(port) });
  const problem = parseAddress(host) === undefined ? undefined : policy.addressProblem(host);
  if (problem) throw new GatewayError('forbidden', `${host} may not be reached: ${problem}.`);
}

const defaultPorts: Readonly<Record<string, number>> = {
  ...{ rtsp: 554, rtsps: 322, rtmp: 1935, rtmps: 443 },
  ...{ http: 80, https: 443 },
};

/** One customer's addresses as one: IPv4 as it is, IPv6 by its /64, for limits per address. */
export function addressGroup(address: string): string {
  const bits = parseAddress(address);
  if (bits === undefined) return address;
  return bits >> 32n === 0xffffn ? `v4:${bits & 0xffffffffn}` : `v6:${bits >> 64n}`;
}

/** @throws GatewayError `invalid_request` for what is none */
export function parseRange(text: string): Range {
  const [address = '', length] = text.split('/');
  const bits = parseAddress(address);
  const isIpv4 = !address.includes(':');
  const wholeLength = isIpv4 ? 32 : 128;
  const prefixLength = length === undefined ? wholeLength : Number(length);
  if (bits === undefined || !/^\d+$/.test(length ?? '0') || prefixLength > wholeLength) {
    throw new GatewayError('invalid_request', `"${text}" is no address range like 10.0.0.0/8 or fd00::/8.`);
  }
  return { base: bits, prefixLength: isIpv4 ? prefixLength + 96 : prefixLength };
}

function contains({ base, prefixLength }: Range, bits: Bits): boolean {
  const shift = BigInt(128 - prefixLength);
  return base >> shift === bits >> shift;
}

/** Inside of NAT64 (RFC 6052 §2.1), 6to4 (RFC 3056 §2) and the deprecated IPv4-compatible form (RFC 4291 §2.5.5.1). */
function embeddedIpv4(bits: Bits): Bits[] {
  const mapped = (ipv4: bigint) => (0xffffn << 32n) | (ipv4 & 0xffffffffn);
  const high = bits >> 32n;
  if (high === 0x64ff9bn << 64n) return [mapped(bits)];
  if (bits >> 112n === 0x2002n) return [mapped(bits >> 80n)];
  if (high === 0n && bits > 1n) return [mapped(bits)];
  return [];
}

/** The same few addresses are asked about several times for each request of theirs. */
const parsed = new Map<string, Bits | undefined>();
const maxParsed = 1_000;

/** @returns undefined for anything that is not exactly an IPv4 or IPv6 address; a zone (`%eth0`) is left out */
export function parseAddress(text: string): Bits | undefined {
  if (parsed.has(text)) return parsed.get(text);
  const bits = readAddress(text);
  if (parsed.size >= maxParsed) parsed.clear();
  // Longer than any address with its zone: somebody else's text, which is not to be kept.
  if (text.length <= 64) parsed.set(text, bits);
  return bits;
}

function readAddress(text: string): Bits | undefined {
  const [address = ''] = text.split('%');
  if (!address.includes(':')) {
    const ipv4 = parseIpv4(address);
    return ipv4 === undefined ? undefined : (0xffffn << 32n) | ipv4;
  }
  const tailStart = address.lastIndexOf(':') + 1;
  const tail = address.slice(tailStart);
  if (!tail.includes('.')) return parseIpv6(address);
  const ipv4 = parseIpv4(tail);
  if (ipv4 === undefined) return undefined;
  const groups = `${(ipv4 >> 16n).toString(16)}:${(ipv4 & 0xffffn).toString(16)}`;
  return parseIpv6(address.slice(0, tailStart) + groups);
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  // No leading zeros: some resolvers read them as octal, and then the address checked is not the one reached.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...left, ...Array<string>(Math.max(0, missing)).fill('0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
