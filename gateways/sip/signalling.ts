// Owns: the SIP server below and the link to it. May import: core, config.
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SipConfig } from '#config/schema.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { SipLink } from './link.ts';
import {
  type CallLadder,
  type Certificate,
  defaultSipServerOptions,
  defaultTransportLimits,
  type RequestScreen,
  readCertificate,
  SipServer,
  type SipServerOptions,
  type SipServerStats,
  type TlsOptions,
} from './server/index.ts';

/** How often the log is told of calls that were refused before anything was made of them, where there were any. */
const tellRefusedMs = 10_000;

export interface SipSignallingOptions {
  readonly config: SipConfig;
  /** For TLS where the config names none: the certificate of HTTPS. */
  readonly certificate?: Certificate | undefined;
  /** Of those who are not listened to; the embedded server alone can do that. */
  readonly isBanned?: ((address: string) => boolean) | undefined;
  /** Refuses requests before anything is made of them; the embedded server alone asks it. */
  readonly screen?: RequestScreen | undefined;
  readonly log: Logger;
}

/**
 * SIP signalling as the application sees it: one link to a SIP server, which is the embedded one unless
 * `sip.drachtio` names another. Nothing behind `link` knows which it is.
 */
export class SipSignalling extends Owned {
  readonly link: SipLink;
  readonly #server: SipServer | undefined;

  /** Where another drachtio-srf may connect to. */
  readonly control: { readonly host: string; readonly port: number; readonly secret: string };

  private constructor(server: SipServer | undefined, link: SipLink, control: SipSignalling['control'], log: Logger) {
    super();
    this.#server = server;
    this.link = link;
    this.control = control;
    if (server) tellOfRefused(server, log);
  }

  /** @throws GatewayError `conflict` (port taken), `invalid_request` (address, certificate), `unauthorized`, `timeout` */
  static async create(options: SipSignallingOptions): Promise<SipSignalling> {
    const { config, log } = options;
    let link: SipLink | undefined;
    const server = config.drachtio
      ? undefined
      : await SipServer.create({
          ...serverOptions(options),
          authorityOf: (call) => link?.authorityOf(call),
          onRefreshed: (call, sdp) => link?.refreshed(call, sdp),
        });
    try {
      const control = config.drachtio ?? (server as SipServer).control;
      const { minSessionSec } = config.timers;
      link = await SipLink.connect({
        ...control,
        openInProcess: server && (() => server.openControl()),
        locate: server && ((uri) => server.addressOf(uri)),
        minSessionSec,
        log,
      });
      return new SipSignalling(server, link, control, log);
    } catch (error) {
      await server?.close('failed');
      throw error;
    }
  }

  /** Whether messages of calls, statistics and WebSockets are to be had here, or at a drachtio-server of its own. */
  get isEmbedded(): boolean {
    return this.#server !== undefined;
  }

  get listenPoints(): readonly { readonly protocol: string; readonly host: string; readonly port: number }[] {
    return this.#server?.listenPoints ?? [];
  }

  get stats(): SipServerStats | undefined {
    return this.#server?.stats;
  }

  /** The messages of a call for its SIP ladder; undefined for a call that is forgotten, or with a server of its own. */
  ladderForCall(callId: string): CallLadder | undefined {
    return this.#server?.ladder.forCall(callId);
  }

  /** For the path `/sip` of the HTTP servers. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#server) this.#server.handleUpgrade(request, socket, head);
    else socket.destroy();
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    // The link first: its calls are hung up over the server.
    await this.link.close(reason);
    await this.#server?.close(reason);
  }
}

/** One line for all of them: each for itself would cost more than the call. */
function tellOfRefused(server: SipServer, log: Logger): void {
  let told = server.stats;
  const timer = setInterval(() => {
    const now = server.stats;
    const refused = now.shed - told.shed;
    const waitedTooLong = now.late - told.late;
    told = now;
    if (refused > 0) log.warn({ refused, waitedTooLong, withinMs: tellRefusedMs }, 'calls refused unseen');
  }, tellRefusedMs).unref();
  void server.done.then(() => clearInterval(timer));
}

function serverOptions({
  config,
  certificate: fallback,
  isBanned,
  screen,
}: SipSignallingOptions): Partial<SipServerOptions> {
  const { limits, timers } = config;
  return {
    hosts: config.hosts,
    port: config.port,
    tlsPort: config.tlsPort,
    hasUdp: config.hasUdp,
    hasTcp: config.hasTcp,
    forcesRport: config.forcesRport,
    tls: config.hasTls ? tlsOptions(config, fallback) : undefined,
    externalAddress: config.externalAddress,
    product: config.product,
    localNetworks: config.localNetworks ?? defaultSipServerOptions.localNetworks,
    limits: {
      ...defaultTransportLimits,
      maxMessageBytes: limits.maxMessageBytes,
      maxConnections: limits.maxConnections,
      maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
      messagesPerSecond: limits.messagesPerSecond,
      idleTimeoutMs: limits.idleTimeoutMs,
      exemptNetworks: limits.exemptNetworks,
      isBanned,
    },
    maxServerTransactions: limits.maxTransactions,
    screen,
    timers,
    failoverMs: timers.failoverMs,
    minSessionSec: timers.minSessionSec,
    locator: {
      ...defaultSipServerOptions.locator,
      dnsServers: config.dns.servers,
      usesNaptr: config.dns.usesNaptr,
      timeoutMs: config.dns.timeoutMs,
    },
    maxUdpBytes: config.maxUdpBytes,
    ladder: config.ladder,
    hep: config.hep,
  };
}

function tlsOptions({ tls }: SipConfig, fallback: Certificate | undefined): TlsOptions | undefined {
  const own =
    tls.certificateFile !== undefined && tls.privateKeyFile !== undefined
      ? readCertificate(tls.certificateFile, tls.privateKeyFile)
      : fallback;
  if (!own) return undefined;
  return {
    certificate: own,
    serverNames: new Map(
      tls.names.map((each) => [each.name, readCertificate(each.certificateFile, each.privateKeyFile)]),
    ),
    ca: tls.authoritiesFile === undefined ? undefined : readFileSync(tls.authoritiesFile, 'utf8'),
    clientCertificates: tls.clientCertificates,
    verifiesServers: tls.verifiesServers,
  };
}
