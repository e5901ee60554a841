import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { formatHostPort } from '../message/uri.ts';
import { type AdvertiseOptions, Advertiser, isWildcard } from './addresses.ts';
import type { Flow, FlowHandler, Protocol } from './flow.ts';
import { AddressLimiter, type TransportLimits } from './limiter.ts';
import { StreamListener, type TlsOptions } from './stream-listener.ts';
import { UdpListener } from './udp.ts';
import { WebSocketListener } from './websocket.ts';

export interface TransportOptions extends AdvertiseOptions {
  /** Addresses to bind; `0.0.0.0` and `::` are all of their family. */
  readonly hosts: readonly string[];
  /** UDP and TCP; 0 picks one that is free for both. */
  readonly port: number;
  readonly tlsPort: number;
  readonly hasUdp: boolean;
  readonly hasTcp: boolean;
  /** TLS is off without. */
  readonly tls?: TlsOptions | undefined;
  readonly limits: TransportLimits;
}

/** Where a request may go: an address that DNS or the URI gave. */
export interface Target {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** Name that a TLS peer's certificate must be valid for. */
  readonly serverName?: string | undefined;
}

export interface ListenPoint {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
}

const freePortTries = 8;

/** Every socket of the SIP server. */
export class TransportLayer extends Owned {
  readonly limiter: AddressLimiter;
  readonly #udp: UdpListener[] = [];
  readonly #streams: StreamListener[] = [];
  readonly #webSockets: WebSocketListener;
  readonly #advertiser: Advertiser;
  /** Ports that are ours, to know our own addresses when they come back. */
  readonly #ports = new Set<number>();

  private constructor(options: TransportOptions, handler: FlowHandler) {
    super();
    this.limiter = new AddressLimiter(options.limits);
    this.#advertiser = new Advertiser(options);
    const { limits } = options;
    this.#webSockets = this.own(
      new WebSocketListener({ handler, limits, limiter: this.limiter, advertiser: this.#advertiser }),
    );
  }

  /** @throws GatewayError `conflict` when a port is taken, `invalid_request` when an address is not ours */
  static async create(options: TransportOptions, handler: FlowHandler): Promise<TransportLayer> {
    let layer: TransportLayer | undefined;
    try {
      // A free port that the system chose for UDP may be another program's for TCP.
      for (let attempt = 1; options.port === 0 && attempt < freePortTries; attempt++) {
        const trial = new TransportLayer(options, handler);
        try {
          for (const host of options.hosts) await trial.#listen(host, options, handler);
          return trial;
        } catch {
          await trial.close('failed');
        }
      }
      layer = new TransportLayer(options, handler);
      for (const host of options.hosts) await layer.#listen(host, options, handler);
    } catch (cause) {
      await layer?.close('failed');
      if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') {
        throw new GatewayError('conflict', `Port ${options.port} for SIP is taken by another program.`, { cause });
      }
      throw new GatewayError('invalid_request', `Cannot listen for SIP on ${options.hosts.join(', ')}.`, { cause });
    }
    return layer;
  }

  get listenPoints(): readonly ListenPoint[] {
    return [
      ...this.#udp.map(({ host, port }) => ({ protocol: 'udp' as const, host, port })),
      ...this.#streams.map(({ protocol, host, port }) => ({ protocol, host, port })),
    ];
  }

  /** `udp/192.0.2.1:5060` of each listen point, as peers on the network see it. */
  hostPorts(): string[] {
    return this.listenPoints.map(({ protocol, host, port }) => {
      const outside = isIPv6(host) ? '2001:db8::1' : '192.0.2.1';
      return `${protocol}/${formatHostPort(this.#advertiser.addressFor(outside, host), port)}`;
    });
  }

  can(protocol: Protocol, address: string): boolean {
    return this.#listenerFor(protocol, address) !== undefined;
  }

  /** @returns undefined when nothing of ours speaks that protocol to that address family */
  flowTo(target: Target): Flow | undefined {
    const listener = this.#listenerFor(target.protocol, target.address);
    if (listener instanceof UdpListener) return listener.flowTo(target.address, target.port);
    return listener?.connectionTo(target.address, target.port, target.serverName);
  }

  /** Whether a host of a URI or a Via is this server. */
  isOwn(host: string, port: number | undefined): boolean {
    if (!this.#ports.has(port ?? 5060)) return false;
    return this.#advertiser.ownAddresses().includes(host) || this.listenPoints.some((point) => point.host === host);
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#webSockets.handleUpgrade(request, socket, head);
  }

  #listenerFor(protocol: Protocol, address: string): UdpListener | StreamListener | undefined {
    const isV6 = isIPv6(address);
    const isLoopback = address === '::1' || address.startsWith('127.');
    const candidates: (UdpListener | StreamListener)[] =
      protocol === 'udp' ? this.#udp : this.#streams.filter((stream) => stream.protocol === protocol);
    const family = candidates.filter(({ host }) => isIPv6(host) === isV6);
    if (family.length <= 1) return family[0];
    // Several addresses are bound: a wildcard reaches everybody, loopback reaches loopback, and the rest the rest.
    return (
      family.find(({ host }) => isWildcard(host)) ??
      family.find(({ host }) => (host === '::1' || host.startsWith('127.')) === isLoopback) ??
      family[0]
    );
  }

  async #listen(host: string, options: TransportOptions, handler: FlowHandler): Promise<void> {
    const shared = { host, handler, limits: options.limits, limiter: this.limiter, advertiser: this.#advertiser };
    let { port } = options;
    if (options.hasUdp) {
      const udp = this.own(await UdpListener.create({ ...shared, port }));
      this.#udp.push(udp);
      this.#ports.add(udp.port);
      port = udp.port;
    }
    if (options.hasTcp) {
      const tcp = this.own(await StreamListener.create({ ...shared, port, tls: undefined }));
      this.#streams.push(tcp);
      this.#ports.add(tcp.port);
    }
    if (options.tls) {
      const tls = this.own(await StreamListener.create({ ...shared, port: options.tlsPort, tls: options.tls }));
      this.#streams.push(tls);
      this.#ports.add(tls.port);
    }
  }

  protected override onClose(_reason: CloseReason): void {
    this.#ports.clear();
  }
}
