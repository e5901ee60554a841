// Owns: what gateways have in common to which others publish: a listener, who publishes what, and draining.
// May import: core.
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Gateway, Logger } from '#core/ports.ts';
import { PublisherTable } from '#core/publisher-table.ts';

export interface PeerListener extends Owned {
  /** Where it listens; undefined for what is turned off. */
  readonly port: number | undefined;
  readonly tlsPort?: number | undefined;
  readonly connectionCount: number;
  /** @throws Error of the system when a port cannot be had */
  listen(): Promise<void>;
}

export abstract class PublisherGateway extends Owned implements Gateway {
  abstract readonly name: string;
  protected readonly log: Logger;
  protected readonly publishers = new PublisherTable();
  protected abstract readonly listener: PeerListener;
  #isDraining = false;

  protected constructor(log: Logger) {
    super();
    this.log = log;
  }

  /** Where it listens; undefined for what is turned off. */
  get port(): number | undefined {
    return this.listener.port;
  }

  get tlsPort(): number | undefined {
    return this.listener.tlsPort;
  }

  get connectionCount(): number {
    return this.listener.connectionCount;
  }

  get publisherCount(): number {
    return this.publishers.size;
  }

  /** Refuses who comes; those that are here go on. */
  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  /** @throws Error of the system when a port cannot be had; it is closed then */
  protected async listen(): Promise<this> {
    try {
      await this.listener.listen();
    } catch (error) {
      await this.close('failed');
      throw error;
    }
    return this;
  }

  /** @throws GatewayError `draining` */
  protected refuseWhenDraining(): void {
    if (this.#isDraining)
      throw new GatewayError('draining', 'The server goes down for maintenance; try again shortly.');
  }

  protected override onClose(): void {
    this.log.debug({}, `${this.name} closed`);
  }
}
