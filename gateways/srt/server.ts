// Owns: SRT as a gateway: its sessions, and the gate that every publisher passes. May import: core, its neighbours.
import type { Logger } from '#core/ports.ts';
import { PublisherGateway } from '#wire/publisher-gateway.ts';
import { type SrtCall, SrtListener, type SrtListenerOptions } from './listener.ts';
import type { SrtPublishGrant, SrtPublishRequest, SrtSessionOptions } from './publish-request.ts';
import { SrtSession } from './session.ts';

export interface SrtGatewayConfig extends SrtListenerOptions, SrtSessionOptions {}

export const defaultSrtConfig: SrtGatewayConfig = {
  host: '0.0.0.0',
  port: 8_890,
  latencyMs: 200,
  passphrase: undefined,
  authorizeTimeoutMs: 2_500,
  idleTimeoutMs: 5_000,
  maxConnections: 2_000,
  maxConnectionsPerAddress: 64,
};

export interface SrtGatewayPorts {
  readonly log: Logger;
  /** @throws GatewayError whose reason the encoder is told */
  authorizePublish(request: SrtPublishRequest): Promise<SrtPublishGrant>;
}

export class SrtServer extends PublisherGateway {
  readonly name = 'srt';
  readonly #ports: SrtGatewayPorts;
  readonly #config: SrtGatewayConfig;
  /** Who publishes, by what. */
  readonly #sessions = new Map<string, SrtSession>();
  protected override readonly listener: SrtListener;

  /** @throws Error of the system when the port cannot be had */
  static async create(ports: SrtGatewayPorts, config: SrtGatewayConfig): Promise<SrtServer> {
    return new SrtServer(ports, config).listen();
  }

  private constructor(ports: SrtGatewayPorts, config: SrtGatewayConfig) {
    super(ports.log.child({ gateway: 'srt' }));
    this.#ports = ports;
    this.#config = config;
    this.listener = this.own(new SrtListener(config, (call) => this.#serve(call), this.log));
  }

  #serve(call: SrtCall): SrtSession {
    const session: SrtSession = new SrtSession(
      call,
      {
        log: this.log,
        authorizePublish: async (request) => {
          this.refuseWhenDraining();
          return this.#ports.authorizePublish(request);
        },
        claim: (grant) => this.#claim(grant, session),
      },
      this.#config,
    );
    return session;
  }

  /** Nobody hears that an encoder has died; until that is sure, its successor finds it silent and takes its place. */
  async #claim({ publisherId, whenBusy }: SrtPublishGrant, session: SrtSession): Promise<void> {
    const before = this.#sessions.get(publisherId);
    if (before?.isSilent) await before.close('timeout');
    await this.publishers.claim(publisherId, session, whenBusy);
    this.#sessions.set(publisherId, session);
    void session.done.then(() => {
      if (this.#sessions.get(publisherId) === session) this.#sessions.delete(publisherId);
    });
  }
}
