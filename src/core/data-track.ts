// Owns: data channels of a room: who writes one, and who reads it. May import: core only.
import { newPublicationId, newSubscriptionId, type PublicationId, type SubscriptionId } from './ids.ts';
import { Owned } from './lifecycle.ts';
import type { Participant } from './participant.ts';
import type { SfuDataConsumer, SfuDataProducer } from './ports.ts';

/** A data channel that others in the room may read. */
export class DataPublication extends Owned {
  readonly id: PublicationId = newPublicationId();
  readonly participant: Participant;
  readonly dataProducer: SfuDataProducer;

  constructor(participant: Participant, dataProducer: SfuDataProducer) {
    super();
    this.participant = participant;
    this.dataProducer = dataProducer;
    dataProducer.events.on('closed', () => void this.close('failed'));
  }

  get label(): string {
    return this.dataProducer.label;
  }

  protected override onClose(): void {
    this.dataProducer.close();
  }
}

/** One participant's reading end of a data publication. */
export class DataSubscription extends Owned {
  readonly id: SubscriptionId = newSubscriptionId();
  readonly publication: DataPublication;
  readonly dataConsumer: SfuDataConsumer;

  constructor(publication: DataPublication, dataConsumer: SfuDataConsumer) {
    super();
    this.publication = publication;
    this.dataConsumer = dataConsumer;
    dataConsumer.events.on('closed', () => void this.close('failed'));
  }

  protected override onClose(): void {
    this.dataConsumer.close();
  }
}
