// Owns: the listening sockets of RTMP and RTMPS, and who may hold how many connections. May import: core.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';

import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import type { RtmpPublishGrant, RtmpPublishRequest, RtmpSessionTimeouts } from './publish-request.ts';
import { PublisherTable } from './publisher-table.ts';
import { RtmpSession } from './session.ts';

export interface RtmpGatewayConfig extends RtmpSessionTimeouts {
  readonly host: string;
  /** 0 picks a free one; undefined turns plain RTMP off. */
  readonly port: number | undefined;
  /** Undefined turns RTMPS off; it needs `RtmpGatewayPorts.certificate` too. */
  readonly tlsPort: number | undefined;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export const defaultRtmpConfig: RtmpGatewayConfig = {
  host: '0.0.0.0',
  port: 1935,
  tlsPort: 1936,
  handshakeTimeoutMs: 5_000,
  commandTimeoutMs: 10_000,
  authorizeTimeoutMs: 10_000,
  idleTimeoutMs: 20_000,
  maxConnections: 2_000,
  maxConnectionsPerAddress: 64,
};

export interface RtmpGatewayPorts {
  readonly log: Logger;
  /** @throws GatewayError whose message the encoder is shown */
  authorizePublish(request: RtmpPublishRequest): Promise<RtmpPublishGrant>;
  /** PEM. */
  readonly certificate?: { readonly cert: string | Buffer; readonly key: string | Buffer } | undefined;
}

export class RtmpServer extends Owned {
  readonly name = 'rtmp';
  readonly #ports: RtmpGatewayPorts;
  readonly #config: RtmpGatewayConfig;
  readonly #log: Logger;
  readonly #publishers = new PublisherTable();
  readonly #sessions = new Set<RtmpSession>();
  readonly #sockets = new Set<Socket>();
  readonly #connectionsByAddress = new Map<string, number>();
  #plain: Server | undefined;
  #encrypted: Server | undefined;
  #isDraining = false;

  /** @throws Error of the system when a port cannot be had */
  static async create(ports: RtmpGatewayPorts, config: RtmpGatewayConfig): Promise<RtmpServer> {
    const server = new RtmpServer(ports, config);
    try {
      await server.#listen();
    } catch (error) {
      await server.close('failed');
      throw error;
    }
    return server;
  }

  private constructor(ports: RtmpGatewayPorts, config: RtmpGatewayConfig) {
    super();
    this.#ports = ports;
    this.#config = config;
    this.#log = ports.log.child({ gateway: 'rtmp' });
  }

  /** Where it listens; undefined for what is turned off. */
  get port(): number | undefined {
    return portOf(this.#plain);
  }

  get tlsPort(): number | undefined {
    return portOf(this.#encrypted);
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  get publisherCount(): number {
    return this.#publishers.size;
  }

  /** Refuses new publishers, and asks those that can to move to another server. */
  drain(): void {
    this.#isDraining = true;
    for (const session of this.#sessions) session.askToReconnect('The server goes down for maintenance.');
  }

  async #listen(): Promise<void> {
    const { host, port, tlsPort, handshakeTimeoutMs } = this.#config;
    const { certificate } = this.#ports;
    if (port !== undefined) {
      this.#plain = createServer({ noDelay: true });
      this.#plain.on('connection', (socket) => this.#admit(socket) && this.#serve(socket, socket, false));
      await listenOn(this.#plain, port, host);
    }
    if (tlsPort !== undefined && certificate) {
      const server = createTlsServer({ ...certificate, handshakeTimeout: handshakeTimeoutMs, noDelay: true });
      this.#encrypted = server;
      server.on('connection', (socket: Socket) => this.#admit(socket)); // before TLS, so that it counts as one
      server.on('secureConnection', (socket: TLSSocket) => this.#serve(socket, socket, true));
      server.on('tlsClientError', (error, socket) => {
        this.#log.debug({ address: socket.remoteAddress, reason: error.message }, 'rtmps handshake failed');
        socket.destroy();
      });
      await listenOn(server, tlsPort, host);
    }
  }

  /** @returns whether the address and the server have room for one more */
  #admit(socket: Socket): boolean {
    const address = addressGroup(socket.remoteAddress ?? '');
    const count = (this.#connectionsByAddress.get(address) ?? 0) + 1;
    socket.on('error', () => socket.destroy()); // resets before a session listens
    if (count > this.#config.maxConnectionsPerAddress || this.#sockets.size >= this.#config.maxConnections) {
      this.#log.warn({ address, count }, 'rtmp connection refused: too many');
      socket.destroy();
      return false;
    }
    this.#connectionsByAddress.set(address, count);
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#connectionsByAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#connectionsByAddress.set(address, left);
      else this.#connectionsByAddress.delete(address);
    });
    return true;
  }

  #serve(socket: Socket | TLSSocket, { remoteAddress }: Socket, isEncrypted: boolean): void {
    if (this.isClosed || remoteAddress === undefined) return void socket.destroy();
    const { handshakeTimeoutMs, commandTimeoutMs, authorizeTimeoutMs, idleTimeoutMs } = this.#config;
    const timeouts = { handshakeTimeoutMs, commandTimeoutMs, authorizeTimeoutMs, idleTimeoutMs };
    const session: RtmpSession = this.own(
      new RtmpSession(
        socket,
        { log: this.#log, authorizePublish: (request) => this.#authorize(request, session) },
        { ...timeouts, remoteAddress, isEncrypted },
      ),
    );
    this.#sessions.add(session);
    void session.done.then(() => this.#sessions.delete(session));
  }

  /** The gate that all publishers pass: key, then whose turn it is, then the room. */
  async #authorize(request: RtmpPublishRequest, session: RtmpSession): Promise<RtmpPublishGrant> {
    if (this.#isDraining)
      throw new GatewayError('draining', 'The server goes down for maintenance; try again shortly.');
    const grant = await this.#ports.authorizePublish(request);
    const { publisherId, whenBusy } = grant;
    await this.#publishers.claim(publisherId, session, whenBusy);
    return {
      publisherId,
      whenBusy,
      accept: async (source) => {
        void source.done.then(() => this.#publishers.release(publisherId, session));
        await grant.accept(source);
      },
    };
  }

  protected override onClose(_reason: CloseReason): void {
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
