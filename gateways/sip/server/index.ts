// Owns: a SIP server that speaks drachtio's control protocol, so that drachtio-srf cannot tell it from drachtio-server.
// May import: core, and its own folders message < transport < transaction < dialog < agent, control, locate, trace.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { Agent } from './agent/agent.ts';
import { Bindings } from './agent/bindings.ts';
import type { AppEnd } from './control/channel.ts';
import { ControlServer } from './control/control-server.ts';
import { DialogTable } from './dialog/dialog-table.ts';
import { Locator } from './locate/locator.ts';
import type { SipMessage } from './message/message.ts';
import { parseUri } from './message/uri.ts';
import { defaultSipServerOptions, type SipServerOptions } from './options.ts';
import { HepExporter } from './trace/hep.ts';
import { type CallLadder, Ladder } from './trace/ladder.ts';
import { randomHex, TransactionLayer } from './transaction/transaction-layer.ts';
import type { Flow } from './transport/flow.ts';
import { type ListenPoint, TransportLayer } from './transport/transport-layer.ts';

export type { AppEnd } from './control/channel.ts';
export { type AppMessageFrame, type MessageFrame, wordsOf } from './control/message-frame.ts';
export { type ChallengeAnswer, defaultSipServerOptions, type RequestScreen, type SipServerOptions } from './options.ts';
export type { CallLadder } from './trace/ladder.ts';
export { defaultTransportLimits } from './transport/limiter.ts';
export { type Certificate, readCertificate, type TlsOptions } from './transport/stream-listener.ts';
export type { ListenPoint } from './transport/transport-layer.ts';

/** Counts for metrics and for tests that look for leaks. */
export interface SipServerStats {
  readonly serverTransactions: number;
  readonly clientTransactions: number;
  readonly dialogs: number;
  readonly pendingInbound: number;
  readonly pendingOutbound: number;
  readonly connections: number;
  readonly refusedConnections: number;
  /** Over the rate of their address. */
  readonly droppedMessages: number;
  readonly malformed: number;
  readonly merged: number;
  /** Refused with 503 before anything was made of them. */
  readonly shed: number;
  /** Of those, INVITEs that had waited too long for their turn. */
  readonly late: number;
  readonly retransmissions: number;
  readonly unmatchedResponses: number;
  /** Bugs of ours; each is warned of. */
  readonly internalErrors: number;
}

/** The embedded SIP server. Drachtio-srf connects to `control`. */
export class SipServer extends Owned {
  readonly #ladder: Ladder;
  readonly #hep: HepExporter | undefined;
  readonly #transactions: TransactionLayer;
  readonly #dialogs = new DialogTable();
  #agent!: Agent;
  #transports!: TransportLayer;
  #control!: ControlServer;
  #locator!: Locator;
  #secret = '';

  private constructor(options: SipServerOptions) {
    super();
    this.#ladder = new Ladder(options.ladder);
    this.#hep = options.hep ? new HepExporter(options.hep) : undefined;
    this.#transactions = this.own(
      new TransactionLayer(
        options,
        {
          onRequest: (transaction, request) => this.#agent.inbound.onRequest(transaction, request),
          onAck: (request, flow) => this.#agent.inbound.onAck(request, flow),
          onCancel: (invite, cancel) => this.#agent.inbound.onCancel(invite, cancel),
          onStrayResponse: (response, flow) => this.#agent.own.onStrayResponse(response, flow),
        },
        { onMessage: (direction, flow, message, bytes) => this.#note(direction, flow, message, bytes) },
      ),
    );
  }

  /** Listens, and waits for an application. @throws GatewayError `conflict`, `invalid_request` */
  static async create(given: Partial<SipServerOptions> = {}): Promise<SipServer> {
    const options = { ...defaultSipServerOptions, ...given };
    const server = new SipServer(options);
    try {
      await server.#start(options);
    } catch (error) {
      await server.close('failed');
      throw error;
    }
    return server;
  }

  /** Where drachtio-srf connects to, and the secret for it. Keep it out of logs. */
  get control(): { readonly host: string; readonly port: number; readonly secret: string } {
    return { host: '127.0.0.1', port: this.#control.port, secret: this.#secret };
  }

  /** The same for an application in this process: no socket lies between. @throws GatewayError `closed` */
  openControl(): AppEnd {
    return this.#control.openInProcess();
  }

  /** Where a request to this URI would go first; undefined where it leads nowhere. */
  async addressOf(uri: string): Promise<string | undefined> {
    const parsed = parseUri(uri);
    return parsed && (await this.#locator.locate(parsed))[0]?.address;
  }

  get listenPoints(): readonly ListenPoint[] {
    return this.#transports.listenPoints;
  }

  get stats(): SipServerStats {
    const { limiter } = this.#transports;
    return {
      serverTransactions: this.#transactions.serverCount,
      clientTransactions: this.#transactions.clientCount,
      dialogs: this.#dialogs.size,
      pendingInbound: this.#agent.inbound.pendingCount,
      pendingOutbound: this.#agent.outbound.pendingCount,
      connections: limiter.connectionCount,
      refusedConnections: limiter.refusedConnectionCount,
      droppedMessages: limiter.droppedCount,
      ...this.#transactions.counters,
    };
  }

  /** The messages of one call, as they came and went. */
  get ladder(): { forCall(callId: string): CallLadder | undefined; callIds(): string[] } {
    return this.#ladder;
  }

  /** SIP over WebSocket: give it the `upgrade` events for `/sip` of an HTTP or HTTPS server. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#transports.handleUpgrade(request, socket, head);
  }

  async #start(options: SipServerOptions): Promise<void> {
    this.#secret = options.control.secret ?? randomHex(32);
    this.#transports = this.own(await TransportLayer.create(options, this.#transactions));
    this.#transactions.transports = this.#transports;
    this.#locator = new Locator(options.locator, (protocol, address) => this.#transports.can(protocol, address));
    this.#control = this.own(
      await ControlServer.create(
        { ...options.control, secret: this.#secret },
        {
          hostPorts: () => this.#transports.hostPorts().join(','),
          onCommand: (session, command) => this.#agent.command(session, command),
          onProxy: (session, command) => this.#agent.proxy(session, command),
          onSessionClosed: (session) => this.#agent.sessionClosed(session),
        },
      ),
    );
    this.#agent = new Agent({
      options,
      transactions: this.#transactions,
      transports: this.#transports,
      locator: this.#locator,
      dialogs: this.#dialogs,
      apps: this.#control,
      bindings: new Bindings(),
    });
  }

  #note(direction: 'in' | 'out', flow: Flow, message: SipMessage, bytes: Buffer | undefined): void {
    this.#ladder.note(direction, flow, message, bytes);
    this.#hep?.note(direction, flow, message);
  }

  protected override onClose(_reason: CloseReason): void {
    for (const dialog of this.#dialogs.all()) this.#dialogs.remove(dialog);
    this.#hep?.close();
  }
}
