// Owns: data channels of both directions, found again after new transports. May import: mediasoup-client (types).
import type { DataConsumer, DataProducer } from 'mediasoup-client/types';
import type { DataPublicationInfo } from '#signalling/protocol.ts';
import { ClientError, toClientError } from './errors.ts';
import type { MediaSession, ProduceDataAppData } from './media-session.ts';
import type { Requester } from './signalling-socket.ts';

export interface PublishDataOptions {
  /** Receivers choose by it. */
  readonly label: string;
  readonly protocol?: string;
  /** Default true. */
  readonly isOrdered?: boolean;
  /** Gives a message up after so long, milliseconds; for what is soon stale. */
  readonly maxPacketLifeTimeMs?: number;
  readonly maxRetransmits?: number;
}

export interface DataMessage {
  readonly participantId: string;
  readonly label: string;
  readonly data: string | ArrayBuffer | Blob;
}

/** A channel that this client writes to; it comes back by itself with new transports. */
export class LocalData {
  readonly options: PublishDataOptions;
  readonly #onClosed: () => void;
  #producer: DataProducer | undefined;
  #publicationId: string | undefined;
  #isClosed = false;

  constructor(options: PublishDataOptions, onClosed: () => void) {
    this.options = options;
    this.#onClosed = onClosed;
  }

  get isOpen(): boolean {
    return this.#producer?.readyState === 'open';
  }
  get isClosed(): boolean {
    return this.#isClosed;
  }
  get publicationId(): string | undefined {
    return this.#publicationId;
  }

  /** @throws ClientError `disconnected` while the channel is not open; nothing is kept for later */
  send(data: string | ArrayBuffer | Blob | ArrayBufferView<ArrayBuffer>): void {
    if (!this.#producer || !this.isOpen) throw new ClientError('disconnected', 'The data channel is not open.');
    this.#producer.send(data);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#producer?.close();
    this.#onClosed();
  }

  /** Called by the hub. */
  put(producer: DataProducer | undefined, publicationId: string | undefined): void {
    if (this.#isClosed) producer?.close();
    else this.#producer = producer;
    this.#publicationId = publicationId;
  }
}

export interface DataHubOptions {
  readonly requester: Requester;
  /** What others publish. */
  readonly publications: () => readonly DataPublicationInfo[];
  readonly onMessage: (message: DataMessage) => void;
}

const openTimeoutMs = 10_000;

export class DataHub {
  readonly #options: DataHubOptions;
  readonly #outgoing = new Set<LocalData>();
  readonly #labels = new Set<string>();
  readonly #incoming = new Map<string, { subscriptionId: string; consumer: DataConsumer }>();
  readonly #pending = new Set<string>();
  #media: MediaSession | undefined;

  constructor(options: DataHubOptions) {
    this.#options = options;
  }

  /** @throws ClientError `forbidden`, `limit_reached`, `timeout` */
  async publish(options: PublishDataOptions): Promise<LocalData> {
    const local: LocalData = new LocalData(options, () => this.#withdraw(local));
    this.#outgoing.add(local);
    try {
      if (this.#media) await this.#produce(this.#media, local);
    } catch (thrown) {
      this.#outgoing.delete(local);
      throw toClientError(thrown);
    }
    return local;
  }

  /** From everybody who publishes under this label, now and later. */
  subscribe(label: string): void {
    this.#labels.add(label);
    this.review();
  }

  unsubscribe(label: string): void {
    this.#labels.delete(label);
    this.review();
  }

  attach(media: MediaSession): void {
    this.#media = media;
    for (const local of this.#outgoing) this.#produce(media, local).catch((thrown) => this.#lost(media, thrown));
    this.review();
  }

  detach(): void {
    this.#media = undefined;
    for (const local of this.#outgoing) local.put(undefined, undefined);
    for (const { consumer } of this.#incoming.values()) consumer.close();
    this.#incoming.clear();
    this.#pending.clear();
  }

  close(): void {
    this.detach();
    for (const local of [...this.#outgoing]) local.close();
  }

  ended(subscriptionId: string): void {
    for (const [publicationId, { subscriptionId: id, consumer }] of this.#incoming) {
      if (id !== subscriptionId) continue;
      consumer.close();
      this.#incoming.delete(publicationId);
    }
  }

  review(): void {
    const media = this.#media;
    if (!media || media.isClosed) return;
    const wanted = this.#options.publications().filter(({ label }) => this.#labels.has(label));
    const wantedIds = new Set(wanted.map(({ id }) => id));
    for (const [publicationId, { subscriptionId, consumer }] of this.#incoming) {
      if (wantedIds.has(publicationId)) continue;
      consumer.close();
      this.#incoming.delete(publicationId);
      this.#options.requester
        .request('unsubscribeData', { subscriptionId })
        .catch((thrown) => this.#lost(media, thrown));
    }
    for (const publication of wanted) {
      if (this.#incoming.has(publication.id) || this.#pending.has(publication.id)) continue;
      this.#pending.add(publication.id);
      this.#consume(media, publication)
        .catch((thrown) => this.#lost(media, thrown))
        .finally(() => this.#pending.delete(publication.id));
    }
  }

  async #produce(media: MediaSession, local: LocalData): Promise<void> {
    const { sendTransport } = media;
    if (!sendTransport) throw new ClientError('forbidden', 'Your role may not publish data.');
    const { label, protocol = '', isOrdered = true, maxPacketLifeTimeMs, maxRetransmits } = local.options;
    let publicationId: string | undefined;
    const appData: ProduceDataAppData = {
      announce: async (transportId, { streamId = 0, ordered, maxPacketLifeTime, maxRetransmits: retransmits }) => {
        const result = await this.#options.requester.request('publishData', {
          transportId,
          label,
          protocol,
          sctpStreamParameters: { streamId, ordered, maxPacketLifeTime, maxRetransmits: retransmits },
        });
        publicationId = result.publicationId;
        return result;
      },
    };
    const producer = await sendTransport.produceData({
      label,
      protocol,
      ordered: isOrdered,
      ...(maxPacketLifeTimeMs !== undefined && { maxPacketLifeTime: maxPacketLifeTimeMs }),
      ...(maxRetransmits !== undefined && { maxRetransmits }),
      appData,
    });
    local.put(producer, publicationId);
    await opened(producer);
  }

  async #consume(media: MediaSession, publication: DataPublicationInfo): Promise<void> {
    const { recvTransport } = media;
    if (!recvTransport) return;
    const { id: publicationId, participantId, label } = publication;
    const result = await this.#options.requester.request('subscribeData', {
      transportId: recvTransport.id,
      publicationId,
    });
    if (media.isClosed || !result.sctpStreamParameters) return;
    const consumer = await recvTransport.consumeData({
      id: result.dataConsumerId,
      dataProducerId: result.dataProducerId,
      sctpStreamParameters: result.sctpStreamParameters,
      label: result.label,
      protocol: result.protocol,
    });
    consumer.on('message', (data) => this.#options.onMessage({ participantId, label, data }));
    this.#incoming.set(publicationId, { subscriptionId: result.subscriptionId, consumer });
  }

  #withdraw(local: LocalData): void {
    this.#outgoing.delete(local);
    const { publicationId } = local;
    const media = this.#media;
    if (publicationId === undefined || !media) return;
    this.#options.requester.request('unpublishData', { publicationId }).catch((thrown) => this.#lost(media, thrown));
  }

  /** What ended meanwhile needs nothing; anything else means that the transports are not what the server has. */
  #lost(media: MediaSession, thrown: unknown): void {
    const { code, message } = toClientError(thrown);
    if (code !== 'not_found' && code !== 'closed' && code !== 'disconnected' && code !== 'forbidden')
      media.fail(message);
  }
}

function opened(producer: DataProducer): Promise<void> {
  if (producer.readyState === 'open') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const refuse = (message: string) => {
      clearTimeout(timer);
      reject(new ClientError('timeout', message));
    };
    const timer = setTimeout(() => refuse('The data channel did not open in time.'), openTimeoutMs);
    producer.on('open', () => {
      clearTimeout(timer);
      resolve();
    });
    producer.on('close', () => refuse('The data channel closed before it opened.'));
    producer.on('transportclose', () => refuse('The data channel lost its transport.'));
  });
}
