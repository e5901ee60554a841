// Owns: listening sockets over TCP and TLS, and how many connections one address may hold; shared by gateways. May import: core.

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { HeldCounts } from '#core/held-counts.ts';
import { Owned } from '#core/lifecycle.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';

/** PEM. */
export interface TlsCertificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0 picks a free one; undefined turns the plain protocol off. */
  readonly port: number | undefined;
  /** Undefined turns TLS off; it needs a certificate too. */
  readonly tlsPort: number | undefined;
  readonly certificate: TlsCertificate | undefined;
  readonly tlsHandshakeTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export interface AcceptedPeer {
  readonly socket: Socket | TLSSocket;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly isEncrypted: boolean;
}

/** Keep-alive finds peers that vanished while a room had paused them and nobody read. */
const tcpOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 };

export class TcpListener extends Owned {
  readonly #options: ListenerOptions;
  readonly #onPeer: (peer: AcceptedPeer) => void;
  readonly #log: Logger;
  readonly #sockets = new Set<Socket>();
  readonly #connectionsByAddress = new HeldCounts();
  #plain: Server | undefined;
  #encrypted: Server | undefined;
  /** Known once it listens: to ask the system each time costs a call into it. */
  #ports: { plain?: number | undefined; encrypted?: number | undefined } = {};

  constructor(options: ListenerOptions, onPeer: (peer: AcceptedPeer) => void, log: Logger) {
    super();
    this.#options = options;
    this.#onPeer = onPeer;
    this.#log = log;
  }

  /** Where it listens; undefined for what is turned off. */
  get port(): number | undefined {
    return this.#ports.plain;
  }

  get tlsPort(): number | undefined {
    return this.#ports.encrypted;
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** @throws Error of the system when a port cannot be had */
  async listen(): Promise<void> {
    const { host, port, tlsPort, certificate, tlsHandshakeTimeoutMs } = this.#options;
    if (port !== undefined) {
      this.#plain = createServer(tcpOptions);
      this.#plain.on('connection', (socket) => this.#admit(socket) && this.#accept(socket, false));
      await listenOn(this.#plain, port, host);
      this.#ports = { plain: portOf(this.#plain) };
    }
    if (tlsPort !== undefined && certificate) {
      const server = createTlsServer({ ...certificate, handshakeTimeout: tlsHandshakeTimeoutMs, ...tcpOptions });
      this.#encrypted = server;
      server.on('connection', (socket: Socket) => this.#admit(socket)); // before TLS, so that it counts
      server.on('secureConnection', (socket: TLSSocket) => this.#accept(socket, true));
      server.on('tlsClientError', (error, socket) => {
        this.#log.debug({ address: socket.remoteAddress, reason: error.message }, 'tls handshake failed');
        socket.destroy();
      });
      await listenOn(server, tlsPort, host);
      this.#ports = { ...this.#ports, encrypted: portOf(server) };
    }
  }

  /** @returns whether the address and the server have room for one more */
  #admit(socket: Socket): boolean {
    const address = addressGroup(socket.remoteAddress ?? '');
    const count = this.#connectionsByAddress.of(address) + 1;
    socket.on('error', () => socket.destroy()); // resets before a session listens
    if (count > this.#options.maxConnectionsPerAddress || this.#sockets.size >= this.#options.maxConnections) {
      this.#log.warn({ address: socket.remoteAddress, count }, 'connection refused: too many');
      socket.destroy();
      return false;
    }
    const giveBack = this.#connectionsByAddress.take(address);
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      giveBack();
    });
    return true;
  }

  #accept(socket: Socket | TLSSocket, isEncrypted: boolean): void {
    const { remoteAddress, localAddress } = socket;
    if (this.isClosed || remoteAddress === undefined || localAddress === undefined) socket.destroy();
    else this.#onPeer({ socket, remoteAddress, localAddress, isEncrypted });
  }

  protected override onClose(): void {
    this.#ports = {};
    this.#plain?.close();
    this.#encrypted?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function portOf(server: Server | undefined): number | undefined {
  const address = server?.address();
  return typeof address === 'object' ? address?.port : undefined;
}

async function listenOn(server: Server, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, resolve);
  await promise;
  server.off('error', reject);
  server.on('error', () => undefined); // out of file descriptors: this connection is lost, the next may not be
}
