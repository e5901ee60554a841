// Owns: SfuDataProducer and SfuDataConsumer on mediasoup's.
import { EventEmitter } from 'node:events';
import type { types } from 'mediasoup';
import type { SfuDataConsumer, SfuDataProducer } from '#core/ports.ts';
import type { SctpStreamParameters } from '#core/rtp.ts';

class DataStream<Native extends types.DataProducer | types.DataConsumer> {
  readonly events = new EventEmitter<{ closed: [] }>();
  readonly id: string;
  readonly label: string;
  readonly protocol: string;
  protected readonly native: Native;

  constructor(native: Native) {
    this.native = native;
    this.id = native.id;
    this.label = native.label;
    this.protocol = native.protocol;
    native.observer.once('close', () => this.events.emit('closed'));
  }

  get isClosed(): boolean {
    return this.native.closed;
  }

  close(): void {
    this.native.close();
  }
}

export class DataProducer extends DataStream<types.DataProducer> implements SfuDataProducer {}

export class DataConsumer extends DataStream<types.DataConsumer> implements SfuDataConsumer {
  /** Where the data entered the room, which for the native one may be a pipe. */
  readonly dataProducerId: string;
  readonly #source: { readonly closed: boolean };

  /** @param source what it is of in its own router */
  constructor(native: types.DataConsumer, dataProducerId: string, source: { readonly closed: boolean }) {
    super(native);
    this.dataProducerId = dataProducerId;
    this.#source = source;
  }

  /** As that of media: its worker ends it with its source. */
  override close(): void {
    if (!this.#source.closed) super.close();
  }

  get sctpStreamParameters(): SctpStreamParameters | undefined {
    return this.native.sctpStreamParameters;
  }
}
