// Owns: RTSP as a gateway: its sessions, and the gate that every pusher and player passes. May import: core.
import type { SourceStream } from '#core/media-source.ts';
import type { Logger } from '#core/ports.ts';
import { type AcceptedPeer, TcpListener, type TlsCertificate } from '#wire/listener.ts';
import { PublisherGateway } from '#wire/publisher-gateway.ts';
import type { RtspAccessRequest, RtspPublishGrant, RtspSessionOptions, RtspSessionPorts } from './ports.ts';
import { RtspSession } from './session.ts';

export interface RtspGatewayConfig extends Omit<RtspSessionOptions, 'remoteAddress' | 'localAddress' | 'isEncrypted'> {
  readonly host: string;
  /** 0 picks a free one; undefined turns plain RTSP off. */
  readonly port: number | undefined;
  /** Undefined turns RTSPS off; it needs `RtspGatewayPorts.certificate` too. */
  readonly tlsPort: number | undefined;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export const defaultRtspConfig: RtspGatewayConfig = {
  host: '0.0.0.0',
  port: 8_554,
  tlsPort: 8_322,
  setupTimeoutMs: 20_000,
  sessionTimeoutMs: 60_000,
  firstUdpPort: 20_000,
  lastUdpPort: 29_999,
  maxQueuedBytes: 1_048_576,
  maxConnections: 2_000,
  maxConnectionsPerAddress: 64,
};

export interface RtspGatewayPorts extends Omit<RtspSessionPorts, 'log'> {
  readonly log: Logger;
  readonly certificate?: TlsCertificate | undefined;
}

const tlsHandshakeTimeoutMs = 5_000;

export class RtspServer extends PublisherGateway {
  readonly name = 'rtsp';
  readonly #ports: RtspGatewayPorts;
  readonly #config: RtspGatewayConfig;
  protected override readonly listener: TcpListener;

  /** @throws Error of the system when a port cannot be had */
  static async create(ports: RtspGatewayPorts, config: RtspGatewayConfig): Promise<RtspServer> {
    return new RtspServer(ports, config).listen();
  }

  private constructor(ports: RtspGatewayPorts, config: RtspGatewayConfig) {
    super(ports.log.child({ gateway: 'rtsp' }));
    this.#ports = ports;
    this.#config = config;
    const options = { ...config, certificate: ports.certificate, tlsHandshakeTimeoutMs };
    this.listener = this.own(new TcpListener(options, (peer) => this.#serve(peer), this.log));
  }

  #serve({ socket, ...peer }: AcceptedPeer): void {
    const session: RtspSession = this.own(
      new RtspSession(
        socket,
        {
          log: this.log,
          passwordOf: (username) => this.#ports.passwordOf(username),
          authorizePublish: (request, streams) => this.#authorizePublish(request, streams, session),
          authorizePlay: async (request) => {
            this.refuseWhenDraining();
            return this.#ports.authorizePlay(request);
          },
        },
        { ...this.#config, ...peer },
      ),
    );
  }

  /** Key, then whose turn it is; the room comes with RECORD. */
  async #authorizePublish(
    request: RtspAccessRequest,
    streams: readonly SourceStream[],
    session: RtspSession,
  ): Promise<RtspPublishGrant> {
    this.refuseWhenDraining();
    const grant = await this.#ports.authorizePublish(request, streams);
    await this.publishers.claim(grant.publisherId, session, grant.whenBusy);
    return grant;
  }
}
