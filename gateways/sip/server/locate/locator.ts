// Owns: where a URI is reached (RFC 3263). May import: message/, transport/, core, node:dns.
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SipUri } from '../message/uri.ts';
import { defaultPort, type Protocol } from '../transport/flow.ts';
import type { Target } from '../transport/transport-layer.ts';

export interface LocatorOptions {
  /** `address` or `address:port` of DNS servers; those of the machine where empty. */
  readonly dnsServers: readonly string[];
  readonly usesNaptr: boolean;
  readonly timeoutMs: number;
  /** How long answers are kept of which node tells no TTL: SRV and NAPTR. Failures are kept for a tenth of it. */
  readonly cacheMs: number;
  /** How long a target that failed is tried after the others. */
  readonly quarantineMs: number;
}

export const defaultLocatorOptions: LocatorOptions = {
  dnsServers: [],
  usesNaptr: true,
  timeoutMs: 2000,
  cacheMs: 30_000,
  quarantineMs: 30_000,
};

interface Srv {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

const maxCached = 4096;
/** Neither asks for each call, nor believes a TTL of days: a carrier that moves is found again. */
const minTtlMs = 5_000;
const maxTtlMs = 300_000;
const maxTargets = 16;
/** Preference where DNS does not say, as NAPTR services of RFC 3263 §4.1. */
const services: readonly { protocol: Protocol; service: string; srv: string }[] = [
  { protocol: 'udp', service: 'SIP+D2U', srv: '_sip._udp.' },
  { protocol: 'tcp', service: 'SIP+D2T', srv: '_sip._tcp.' },
  { protocol: 'tls', service: 'SIPS+D2T', srv: '_sips._tcp.' },
];

/** Turns a URI into addresses to try one after another. */
export class Locator {
  readonly #options: LocatorOptions;
  readonly #resolver: Resolver;
  readonly #can: (protocol: Protocol, address: string) => boolean;
  readonly #cache = new Map<string, { untilMs: number; answer: Promise<readonly unknown[]> }>();
  readonly #quarantine = new Map<string, number>();

  /** @param can whether we have a socket for that protocol and address family */
  constructor(options: LocatorOptions, can: (protocol: Protocol, address: string) => boolean) {
    this.#options = options;
    this.#can = can;
    this.#resolver = new Resolver({ timeout: options.timeoutMs, tries: 2 });
    if (options.dnsServers.length > 0) this.#resolver.setServers([...options.dnsServers]);
  }

  /** Without DNS: the targets of a URI whose host is an address, or undefined when it is a name. */
  locateNow(uri: SipUri): readonly Target[] | undefined {
    if (isIP(uri.host) === 0) return uri.host === 'localhost' ? this.#local(uri) : undefined;
    const protocol = protocolOf(uri) ?? (uri.scheme === 'sips' ? 'tls' : 'udp');
    return this.#usable([{ protocol, address: uri.host, port: uri.port ?? defaultPort(protocol) }]);
  }

  /** In the order to try them; empty when the name leads nowhere. Never rejects. */
  async locate(uri: SipUri): Promise<readonly Target[]> {
    const now = this.locateNow(uri);
    if (now) return now;
    const targets = await this.#resolve(uri);
    const usable = this.#usable(targets).slice(0, maxTargets);
    const nowMs = performance.now();
    const isBad = (target: Target): boolean => (this.#quarantine.get(keyOf(target)) ?? 0) > nowMs;
    return [...usable.filter((target) => !isBad(target)), ...usable.filter(isBad)];
  }

  /** Puts a target behind its siblings for a while (RFC 3263 §4.3 leaves it to us to remember). */
  markFailed(target: Target): void {
    if (this.#quarantine.size >= maxCached) this.#quarantine.clear();
    this.#quarantine.set(keyOf(target), performance.now() + this.#options.quarantineMs);
  }

  #local(uri: SipUri): readonly Target[] {
    const protocol = protocolOf(uri) ?? (uri.scheme === 'sips' ? 'tls' : 'udp');
    const port = uri.port ?? defaultPort(protocol);
    const serverName = 'localhost';
    return this.#usable([
      { protocol, address: '127.0.0.1', port, serverName },
      { protocol, address: '::1', port, serverName },
    ]);
  }

  async #resolve(uri: SipUri): Promise<Target[]> {
    const wanted = protocolOf(uri);
    const fallback = wanted ?? (uri.scheme === 'sips' ? 'tls' : 'udp');
    if (uri.port !== undefined) return this.#addressesOf(uri.host, uri.host, uri.port, fallback);
    for (const { protocol, srv } of await this.#servicesOf(uri, wanted)) {
      const records = await this.#srv(srv);
      const found: Target[] = [];
      for (const record of orderBySrv(records)) {
        // RFC 5922 §4: the certificate is for the domain that was asked for, not for what SRV led to.
        found.push(...(await this.#addressesOf(record.name, uri.host, record.port, protocol)));
        if (found.length >= maxTargets) break;
      }
      if (found.length > 0) return found;
    }
    return this.#addressesOf(uri.host, uri.host, defaultPort(fallback), fallback);
  }

  /** SRV names to try, in order, each with its protocol. */
  async #servicesOf(uri: SipUri, wanted: Protocol | undefined): Promise<{ protocol: Protocol; srv: string }[]> {
    const allowed = services.filter(
      ({ protocol }) => (wanted === undefined || protocol === wanted) && (uri.scheme !== 'sips' || protocol === 'tls'),
    );
    if (wanted === undefined && this.#options.usesNaptr) {
      const records = await this.#ask(`NAPTR ${uri.host}`, () => this.#resolver.resolveNaptr(uri.host));
      const chosen = records
        .filter(({ flags }) => flags.toLowerCase() === 's')
        .sort((a, b) => a.order - b.order || a.preference - b.preference)
        .flatMap(({ service, replacement }) =>
          allowed
            .filter((each) => each.service === service.toUpperCase())
            .map(({ protocol }) => ({ protocol, srv: replacement })),
        );
      if (chosen.length > 0) return chosen;
    }
    return allowed.map(({ protocol, srv }) => ({ protocol, srv: srv + uri.host }));
  }

  async #srv(name: string): Promise<readonly Srv[]> {
    const records = await this.#ask(`SRV ${name}`, () => this.#resolver.resolveSrv(name));
    // RFC 2782: a target of "." says that the service is decidedly not there.
    return records.filter((record) => record.name !== '' && record.name !== '.');
  }

  async #addressesOf(name: string, serverName: string, port: number, protocol: Protocol): Promise<Target[]> {
    if (isIP(name) !== 0) return [{ protocol, address: name, port, serverName }];
    const [v4, v6] = await Promise.all([
      this.#ask(`A ${name}`, () => this.#resolver.resolve4(name, { ttl: true }), keptMs),
      this.#ask(`AAAA ${name}`, () => this.#resolver.resolve6(name, { ttl: true }), keptMs),
    ]);
    return [...v4, ...v6].map(({ address }) => ({ protocol, address, port, serverName }));
  }

  /** Cached; a failure is an empty answer. */
  async #ask<T>(
    key: string,
    query: () => Promise<readonly T[]>,
    keptFor: (records: readonly T[]) => number = () => this.#options.cacheMs,
  ): Promise<readonly T[]> {
    const cached = this.#cache.get(key);
    if (cached && cached.untilMs > performance.now()) return cached.answer as Promise<readonly T[]>;
    // Whoever asks meanwhile waits for the same answer; the resolver gives up by itself.
    const entry = { untilMs: Number.POSITIVE_INFINITY, answer: query() };
    const keep = (ms: number): void => {
      entry.untilMs = performance.now() + ms;
    };
    entry.answer = entry.answer.then(
      (records) => {
        keep(keptFor(records));
        return records;
      },
      () => {
        keep(this.#options.cacheMs / 10);
        return [];
      },
    );
    if (this.#cache.size >= maxCached) this.#cache.clear();
    this.#cache.set(key, entry);
    return entry.answer;
  }

  #usable(targets: readonly Target[]): readonly Target[] {
    return targets.filter(({ protocol, address }) => this.#can(protocol, address));
  }
}

function keptMs(records: readonly { readonly ttl: number }[]): number {
  const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000));
  return Math.min(Math.max(ttlMs, minTtlMs), maxTtlMs);
}

function keyOf({ protocol, address, port }: Target): string {
  return `${protocol} ${address} ${port}`;
}

/** What the URI itself asks for; RFC 3261 §26.2.2 turned `transport=tls` into sips, but peers still write it. */
function protocolOf(uri: SipUri): Protocol | undefined {
  const transport = uri.params.get('transport')?.toLowerCase();
  if (transport === undefined) return undefined;
  if (transport === 'tls') return 'tls';
  if (transport === 'ws' || transport === 'wss') return uri.scheme === 'sips' ? 'wss' : transport;
  if (uri.scheme === 'sips') return 'tls';
  return transport === 'tcp' || transport === 'udp' ? transport : undefined;
}

/** @see RFC 2782: ascending priority, and within one a draw weighted by weight. */
export function orderBySrv(records: readonly Srv[], random: () => number = Math.random): Srv[] {
  const ordered: Srv[] = [];
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  for (const priority of priorities) {
    const left = records.filter((record) => record.priority === priority);
    while (left.length > 0) {
      const total = left.reduce((sum, { weight }) => sum + weight, 0);
      let draw = random() * total;
      let index = left.findIndex(({ weight }) => {
        draw -= weight;
        return draw < 0;
      });
      if (index < 0) index = 0;
      ordered.push(...left.splice(index, 1));
    }
  }
  return ordered;
}
