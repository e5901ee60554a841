// Owns: one listening socket, its limits and its end. May import: core, ./upgrades.

import { createServer, type Server, type ServerOptions } from 'node:http';
import {
  createServer as createSecureServer,
  type ServerOptions as SecureServerOptions,
  type Server as TlsServer,
} from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { GatewayError } from '#core/errors.ts';
import { HeldCounts } from '#core/held-counts.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { limitKey } from './client-address.ts';
import { routeUpgrade, type UpgradeMap } from './upgrades.ts';

/** What a Hono application is to a listener. */
export type FetchHandler = (request: Request, env: HttpBindings) => Response | Promise<Response>;

export interface HttpListenerOptions {
  readonly host: string;
  readonly port: number;
  /** Setting that the port comes from, for the message when it is taken: `http.port`. */
  readonly setting: string;
  readonly fetch: FetchHandler;
  readonly upgrades?: UpgradeMap;
  readonly maxConnections: number;
  readonly limits: ClientLimits;
  readonly log: Logger;
  /** Makes it HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** What one client may take of a listener. */
export interface ClientLimits {
  readonly maxHeaderBytes: number;
  /** A client that sends its headers more slowly than this is cut off (slowloris). */
  readonly headersTimeoutMs: number;
  /** The same for a whole request with its body. */
  readonly requestTimeoutMs: number;
  readonly maxConnectionsPerAddress: number;
  /** Many clients in one, which are not counted by address. */
  readonly isProxy: (address: string) => boolean;
}

/** A client that neither sends nor reads for so long is cut off; the longest answer that is waited for takes a minute. */
const stalledTimeoutMs = 300_000;
/** How often Node looks for slow clients, at the most. */
const longestCheckIntervalMs = 5_000;
/** Longer than load balancers keep idle connections, so that it is they who close first. */
const keepAliveTimeoutMs = 65_000;
/** What is being answered when the listener closes gets so long to end. */
const closeGraceMs = 2_000;

export class HttpListener extends Owned {
  readonly #server: Server | TlsServer;
  /** Sockets that have become something else than HTTP: Node no longer counts them as its own. */
  readonly #upgraded = new Set<Duplex>();
  /** By address. */
  readonly #connections = new HeldCounts();

  private constructor(options: HttpListenerOptions) {
    super();
    const { headersTimeoutMs, requestTimeoutMs, maxHeaderBytes } = options.limits;
    const settings: ServerOptions = {
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(longestCheckIntervalMs, Math.ceil(headersTimeoutMs / 2)),
      maxHeaderSize: maxHeaderBytes,
    };
    // It puts its own Request in the place of the global one: hono's bodyLimit makes a new Request of the one it got, which
    // the global class refuses where no length was said.
    const listener = getRequestListener(options.fetch as Parameters<typeof getRequestListener>[0]);
    const secure: SecureServerOptions = { ...settings, ...options.tls, minVersion: 'TLSv1.2' };
    this.#server = options.tls ? createSecureServer(secure, listener) : createServer(settings, listener);
    this.#server.maxConnections = options.maxConnections;
    this.#server.timeout = stalledTimeoutMs;
    this.#server.on('connection', (socket: Socket) => this.#count(socket, options.limits));
    this.#server.on('upgrade', (request, socket: Socket, head) => {
      // Whose silence is whoever's it is now.
      socket.setTimeout(0);
      this.#upgraded.add(socket);
      socket.once('close', () => this.#upgraded.delete(socket));
      routeUpgrade(options.upgrades ?? {}, options.log, request, socket, head);
    });
  }

  /** @throws GatewayError `conflict`, `forbidden`, `invalid_request`, naming port and setting */
  static async listen(options: HttpListenerOptions): Promise<HttpListener> {
    const listener = new HttpListener(options);
    const server = listener.#server;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', (cause) => reject(explain(cause, options)));
    server.listen({ port: options.port, host: options.host }, resolve);
    await promise;
    // A failed accept (too many open files) passes; without a listener it would end the process.
    server.on('error', (cause) => options.log.error({ err: cause, setting: options.setting }, 'listener failed'));
    return listener;
  }

  /** Where it listens; the port is the real one where 0 was asked for. */
  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** One client must not take the connections of all others. */
  #count(socket: Socket, { maxConnectionsPerAddress, isProxy }: ClientLimits): void {
    const address = socket.remoteAddress ?? '';
    if (isProxy(address)) return;
    const key = limitKey(address);
    const count = this.#connections.of(key) + 1;
    if (count > maxConnectionsPerAddress) {
      socket.destroy();
      return;
    }
    socket.once('close', this.#connections.take(key));
  }

  /** A renewed certificate for connections from now on. */
  setCertificate(tls: { readonly cert: string; readonly key: string }): void {
    if ('setSecureContext' in this.#server) this.#server.setSecureContext({ ...tls, minVersion: 'TLSv1.2' });
  }

  /** No new connections; what is being answered ends within the grace, then everything is cut. */
  protected override async onClose(): Promise<void> {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => {
      this.#server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    }, closeGraceMs);
    // Their owner has said goodbye by now: it is closed before the listener.
    for (const socket of this.#upgraded) socket.end();
    await closed;
    clearTimeout(timer);
  }
}

function explain(cause: Error, { host, port, setting }: HttpListenerOptions): GatewayError {
  const code = 'code' in cause ? cause.code : undefined;
  const where = `${host}:${port} (${setting})`;
  if (code === 'EADDRINUSE') {
    return new GatewayError(
      'conflict',
      `Port ${port} is taken by another program (${setting} on ${host}). Stop it, set ${setting} or use --port-base.`,
      { cause },
    );
  }
  if (code === 'EACCES') {
    return new GatewayError('forbidden', `Port ${port} (${setting}) needs privileges; ports from 1024 do not.`, {
      cause,
    });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    const hostSetting = setting.replace(/\.port$/, '.host');
    return new GatewayError('invalid_request', `This machine has no address ${host} (${hostSetting}).`, { cause });
  }
  return new GatewayError('internal', `Cannot listen on ${where}: ${cause.message}.`, { cause });
}
