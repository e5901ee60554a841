import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, createServer, isIPv6, type Server, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
} from 'node:tls';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { type Advertiser, plainAddress } from './addresses.ts';
import { Connection } from './connection.ts';
import type { FlowHandler } from './flow.ts';
import type { AddressLimiter, TransportLimits } from './limiter.ts';

/** PEM text. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface TlsOptions {
  readonly certificate: Certificate;
  /** Other certificates by the name that the client asks for (SNI), lower case. */
  readonly serverNames?: ReadonlyMap<string, Certificate> | undefined;
  /** PEM of the authorities that peers are checked against, instead of the well-known ones. */
  readonly ca?: string | undefined;
  /** Of those who connect to us: never asked for, asked for, or refused without a good one. */
  readonly clientCertificates: 'none' | 'request' | 'require';
  /** Whether those we connect to must show a certificate that is valid for their name (RFC 5922). */
  readonly verifiesServers: boolean;
}

export interface StreamListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsOptions | undefined;
  readonly handler: FlowHandler;
  readonly limits: TransportLimits;
  readonly limiter: AddressLimiter;
  readonly advertiser: Advertiser;
}

/** Listens for TCP or TLS and makes outgoing connections that look as if they came from it. */
export class StreamListener extends Owned {
  readonly host: string;
  readonly protocol: 'tcp' | 'tls';
  readonly #options: StreamListenerOptions;
  readonly #server: Server;
  /** Those that requests may be sent on, by `address port`: ours, and accepted ones by where they came from. */
  readonly #byPeer = new Map<string, Connection>();

  /** Kept: a closed server tells it no more, and its connections may still want it. */
  #port = 0;

  private constructor(options: StreamListenerOptions) {
    super();
    this.#options = options;
    this.host = options.host;
    this.protocol = options.tls ? 'tls' : 'tcp';
    this.#server = options.tls ? tlsServer(options.tls) : createServer();
    this.#server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => this.#accept(socket));
    // A handshake that failed is the peer's affair; node has destroyed the socket.
    this.#server.on('tlsClientError', () => undefined);
    this.#server.on('error', () => undefined);
    this.#server.maxConnections = options.limits.maxConnections;
  }

  static async create(options: StreamListenerOptions): Promise<StreamListener> {
    const listener = new StreamListener(options);
    listener.#server.listen({ port: options.port, host: options.host, ipv6Only: isIPv6(options.host) });
    await once(listener.#server, 'listening');
    const address = listener.#server.address();
    if (typeof address === 'object' && address) listener.#port = address.port;
    return listener;
  }

  get port(): number {
    return this.#port;
  }

  /**
   * The open connection to that peer, or a new one; bytes sent before it is up wait for it.
   * @param serverName whose certificate a TLS peer has to show; the address where undefined
   */
  connectionTo(address: string, port: number, serverName: string | undefined): Connection {
    const key = this.protocol === 'tls' ? `${address} ${port} ${serverName ?? ''}` : `${address} ${port}`;
    const known = this.#byPeer.get(key) ?? this.#byPeer.get(`${address} ${port}`);
    if (known?.isOpen) return known;
    const { tls, limits } = this.#options;
    const socket = tls
      ? connectTls({
          host: address,
          port,
          ...(serverName !== undefined && { servername: serverName }),
          ...(tls.ca !== undefined && { ca: tls.ca }),
          cert: tls.certificate.cert,
          key: tls.certificate.key,
          rejectUnauthorized: tls.verifiesServers,
        })
      : connectTcp({ host: address, port });
    const upEvent = tls ? 'secureConnect' : 'connect';
    const timer = setTimeout(() => socket.destroy(new Error('No connection in time.')), limits.connectTimeoutMs);
    socket.once(upEvent, () => clearTimeout(timer));
    socket.once('close', () => clearTimeout(timer));
    return this.#adopt(socket, address, port, key);
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress);
    if (this.isClosed || address === '' || !this.#options.limiter.connected(address)) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const port = socket.remotePort ?? 0;
    const connection = this.#adopt(socket, address, port, `${address} ${port}`);
    connection.whenClosed(() => this.#options.limiter.disconnected(address));
  }

  #adopt(socket: Socket, remoteAddress: string, remotePort: number, key: string): Connection {
    const { handler, limits, limiter, advertiser } = this.#options;
    const connection = this.own(
      new Connection({
        socket,
        protocol: this.protocol,
        localAddress: advertiser.addressFor(remoteAddress, this.host),
        localPort: this.port,
        remoteAddress,
        remotePort,
        handler,
        limits,
        limiter,
      }),
    );
    this.#byPeer.set(key, connection);
    connection.whenClosed(() => {
      if (this.#byPeer.get(key) === connection) this.#byPeer.delete(key);
    });
    return connection;
  }

  protected override onClose(_reason: CloseReason): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function tlsServer(tls: TlsOptions): Server {
  const contexts = new Map<string, SecureContext>();
  for (const [name, { cert, key }] of tls.serverNames ?? []) {
    contexts.set(name.toLowerCase(), createSecureContext({ cert, key, ...(tls.ca !== undefined && { ca: tls.ca }) }));
  }
  return createTlsServer({
    cert: tls.certificate.cert,
    key: tls.certificate.key,
    ...(tls.ca !== undefined && { ca: tls.ca }),
    requestCert: tls.clientCertificates !== 'none',
    rejectUnauthorized: tls.clientCertificates === 'require',
    handshakeTimeout: 10_000,
    minVersion: 'TLSv1.2',
    // undefined is the default certificate: phones that ask for an address or nothing get it.
    SNICallback: (name, callback) => callback(null, contexts.get(name.toLowerCase())),
  });
}

/** @throws what readFileSync throws */
export function readCertificate(certificateFile: string, privateKeyFile: string): Certificate {
  return { cert: readFileSync(certificateFile, 'utf8'), key: readFileSync(privateKeyFile, 'utf8') };
}
