// Owns: RTMP as a gateway: its sessions, and the gate that every publisher passes. May import: core.
import type { Logger } from '#core/ports.ts';
import { type AcceptedPeer, TcpListener, type TlsCertificate } from '#wire/listener.ts';
import { PublisherGateway } from '#wire/publisher-gateway.ts';
import type { RtmpPublishGrant, RtmpPublishRequest, RtmpSessionTimeouts } from './publish-request.ts';
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
  readonly certificate?: TlsCertificate | undefined;
}

export class RtmpServer extends PublisherGateway {
  readonly name = 'rtmp';
  readonly #ports: RtmpGatewayPorts;
  readonly #config: RtmpGatewayConfig;
  readonly #sessions = new Set<RtmpSession>();
  protected override readonly listener: TcpListener;

  /** @throws Error of the system when a port cannot be had */
  static async create(ports: RtmpGatewayPorts, config: RtmpGatewayConfig): Promise<RtmpServer> {
    return new RtmpServer(ports, config).listen();
  }

  private constructor(ports: RtmpGatewayPorts, config: RtmpGatewayConfig) {
    super(ports.log.child({ gateway: 'rtmp' }));
    this.#ports = ports;
    this.#config = config;
    const options = { ...config, certificate: ports.certificate, tlsHandshakeTimeoutMs: config.handshakeTimeoutMs };
    this.listener = this.own(new TcpListener(options, (peer) => this.#serve(peer), this.log));
  }

  /** Asks those that can to move to another server. */
  sendAway(): void {
    for (const session of this.#sessions) session.askToReconnect('The server goes down for maintenance.');
  }

  #serve({ socket, remoteAddress, isEncrypted }: AcceptedPeer): void {
    const session: RtmpSession = this.own(
      new RtmpSession(
        socket,
        { log: this.log, authorizePublish: (request) => this.#authorize(request, session) },
        { ...this.#config, remoteAddress, isEncrypted },
      ),
    );
    this.#sessions.add(session);
    void session.done.then(() => this.#sessions.delete(session));
  }

  /** The gate that all publishers pass: key, then whose turn it is, then the room. */
  async #authorize(request: RtmpPublishRequest, session: RtmpSession): Promise<RtmpPublishGrant> {
    this.refuseWhenDraining();
    const grant = await this.#ports.authorizePublish(request);
    const { publisherId, whenBusy } = grant;
    await this.publishers.claim(publisherId, session, whenBusy);
    return {
      publisherId,
      whenBusy,
      accept: async (source) => {
        void source.done.then(() => this.publishers.release(publisherId, session));
        await grant.accept(source);
      },
    };
  }

  protected override onClose(): void {
    this.#sessions.clear();
    super.onClose();
  }
}
