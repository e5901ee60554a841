// Owns: the listeners: HTTP, HTTPS and the one for the scraper. May import: core, config, ./…
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { Config } from '#config/schema.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { type Certificate, loadCertificate } from './certificate.ts';
import { isTrusted, parseProxies } from './client-address.ts';
import { type ClientLimits, type FetchHandler, HttpListener } from './http-listener.ts';
import type { UpgradeMap } from './upgrades.ts';

export interface ServersOptions {
  readonly config: Pick<Config, 'http' | 'https' | 'metrics' | 'limits' | 'data'>;
  /** `createApi(…).fetch`. */
  readonly fetch: FetchHandler;
  /** `createMetricsApp(…).fetch`. */
  readonly metricsFetch: FetchHandler;
  /** For HTTP and HTTPS alike: `{'/ws': (request, socket, head) => …}`. */
  readonly upgrades: UpgradeMap;
  readonly log: Logger;
}

/** Undefined where it is turned off. */
export interface ServerAddresses {
  readonly http: AddressInfo | undefined;
  readonly https: AddressInfo | undefined;
  readonly metrics: AddressInfo | undefined;
}

/** A certificate that was renewed by its owner (or is ours and nears its end) is taken up within this. */
const certificateCheckMs = 3_600_000;
/** Requests besides signalling: each browser holds a few connections for pages and assets. */
const spareConnections = 1_000;

export class Servers extends Owned {
  readonly #options: ServersOptions;
  #http: HttpListener | undefined;
  #https: HttpListener | undefined;
  #metrics: HttpListener | undefined;
  #certificate: Certificate | undefined;
  #renewal: NodeJS.Timeout | undefined;

  private constructor(options: ServersOptions) {
    super();
    this.#options = options;
  }

  /** See createServers. */
  static async create(options: ServersOptions): Promise<Servers> {
    const servers = new Servers(options);
    try {
      await servers.#listen();
      return servers;
    } catch (thrown) {
      await servers.close('failed');
      throw thrown;
    }
  }

  get addresses(): ServerAddresses {
    return { http: this.#http?.address, https: this.#https?.address, metrics: this.#metrics?.address };
  }

  get certificate(): Certificate | undefined {
    return this.#certificate;
  }

  async #listen(): Promise<void> {
    const { config, fetch, metricsFetch, upgrades, log } = this.#options;
    const { http, https, metrics, limits } = config;
    const clients = this.#clientLimits();
    const maxConnections = limits.maxConnections + spareConnections;
    const common = { host: http.host, fetch, upgrades, log, maxConnections, limits: clients };
    if (http.isEnabled) {
      this.#http = this.own(await HttpListener.listen({ ...common, port: http.port, setting: 'http.port' }));
    }
    if (https.isEnabled) {
      const tls = await this.#loadCertificate();
      this.#https = this.own(await HttpListener.listen({ ...common, port: https.port, setting: 'https.port', tls }));
      this.#renewal = setInterval(() => void this.#renewCertificate(), certificateCheckMs).unref();
    }
    if (metrics.isEnabled) {
      this.#metrics = this.own(
        await HttpListener.listen({
          host: metrics.host,
          port: metrics.port,
          setting: 'metrics.port',
          fetch: metricsFetch,
          maxConnections: 100,
          limits: clients,
          log,
        }),
      );
    }
  }

  #clientLimits(): ClientLimits {
    const { http, limits } = this.#options.config;
    const { maxHeaderBytes, headersTimeoutMs, requestTimeoutMs } = http;
    const { maxConnectionsPerAddress } = limits;
    const proxies = parseProxies(http.trustedProxies);
    const isProxy = (address: string) => isTrusted(proxies, address);
    return { maxHeaderBytes, headersTimeoutMs, requestTimeoutMs, maxConnectionsPerAddress, isProxy };
  }

  async #loadCertificate(): Promise<Certificate> {
    const { config, log } = this.#options;
    this.#certificate = await loadCertificate(config.https, resolve(config.data), log);
    return this.#certificate;
  }

  async #renewCertificate(): Promise<void> {
    const before = this.#certificate?.fingerprint;
    try {
      const certificate = await this.#loadCertificate();
      if (certificate.fingerprint === before || this.isClosed) return;
      this.#https?.setCertificate(certificate);
      this.#options.log.info({ fingerprint: certificate.fingerprint }, 'certificate renewed');
    } catch (cause) {
      // The old one stays; half-written files are read again in an hour.
      this.#options.log.error({ err: cause }, 'certificate not renewed');
    }
  }

  protected override onClose(): void {
    // The listeners were children and are gone.
    clearInterval(this.#renewal);
  }
}

/** @throws GatewayError naming port and setting when one of them cannot listen; none of them does then */
export function createServers(options: ServersOptions): Promise<Servers> {
  return Servers.create(options);
}
