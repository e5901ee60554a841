// Owns: SRT as a gateway: its sessions, and the gate that every publisher passes. May import: core, its neighbours.
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Gateway, Logger } from '#core/ports.ts';
import { PublisherTable } from '#core/publisher-table.ts';
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

export class SrtServer extends Owned implements Gateway {
  readonly name = 'srt';
  /** SRT encrypts by itself. */
  readonly tlsPort = undefined;
  readonly #ports: SrtGatewayPorts;
  readonly #config: SrtGatewayConfig;
  readonly #log: Logger;
  readonly #publishers = new PublisherTable();
  /** Who publishes, by what. */
  readonly #sessions = new Map<string, SrtSession>();
  readonly #listener: SrtListener;
  #isDraining = false;

  /** @throws Error of the system when the port cannot be had */
  static async create(ports: SrtGatewayPorts, config: SrtGatewayConfig): Promise<SrtServer> {
    const server = new SrtServer(ports, config);
    try {
      await server.#listener.listen();
    } catch (error) {
      await server.close('failed');
      throw error;
    }
    return server;
  }

  private constructor(ports: SrtGatewayPorts, config: SrtGatewayConfig) {
    super();
    this.#ports = ports;
    this.#config = config;
    this.#log = ports.log.child({ gateway: 'srt' });
    this.#listener = this.own(new SrtListener(config, (call) => this.#serve(call), this.#log));
  }

  get port(): number | undefined {
    return this.#listener.port;
  }

  get connectionCount(): number {
    return this.#listener.connectionCount;
  }

  get publisherCount(): number {
    return this.#publishers.size;
  }

  /** Refuses new publishers; those that are here go on. */
  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  #serve(call: SrtCall): SrtSession {
    const session: SrtSession = new SrtSession(
      call,
      {
        log: this.#log,
        authorizePublish: async (request) => {
          if (this.#isDraining) {
            throw new GatewayError('draining', 'The server goes down for maintenance; try again shortly.');
          }
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
    await this.#publishers.claim(publisherId, session, whenBusy);
    this.#sessions.set(publisherId, session);
    void session.done.then(() => {
      if (this.#sessions.get(publisherId) === session) this.#sessions.delete(publisherId);
    });
  }

  protected override onClose(): void {
    this.#log.debug({}, 'srt closed');
  }
}
