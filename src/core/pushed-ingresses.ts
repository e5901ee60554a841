// Owns: what publishers with stream keys bring into rooms, whatever protocol they speak. May import: core only.
import { GatewayError } from './errors.ts';
import type { StreamKeyId } from './ids.ts';
import { Ingress } from './ingress.ts';
import type { IngressJobSpec, IngressLatency } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { MediaSource } from './media-source.ts';
import type { Logger, MediaPort, RateLimiter } from './ports.ts';
import { PublisherSlot } from './publisher-slot.ts';
import type { Rooms } from './rooms.ts';
import type { BusyPolicy, PushProtocol, StreamKeyRecord, StreamKeys } from './stream-keys.ts';

export interface PushedIngressesOptions {
  readonly rooms: Rooms;
  readonly keys: StreamKeys;
  readonly media: MediaPort;
  /** Of wrong keys, by address. */
  readonly failures: RateLimiter;
  readonly log: Logger;
  readonly graceMs: number;
  readonly startTimeoutMs: number;
  readonly stallTimeoutMs: number;
  /** Of keys that say nothing about it. */
  readonly latency: IngressLatency;
}

export interface PushRequest {
  readonly protocol: PushProtocol;
  /** The credential: goes into no log. */
  readonly key: string;
  readonly remoteAddress: string;
}

/** Leave to publish; the shape that every gateway with publishers asks for. */
export interface PushGrant {
  /** What may be published once at a time. */
  readonly publisherId: string;
  readonly whenBusy: BusyPolicy;
  /** What its media must be encrypted with, where the protocol does that by passphrases. */
  readonly passphrase?: string | undefined;
  /** Takes the stream into its room, under the same ids as the publisher before if that was lost a moment ago. */
  accept(source: MediaSource): Promise<void>;
}

/** One for each stream key that is in use, or was a moment ago. */
export class PushedIngresses extends Owned {
  readonly #options: PushedIngressesOptions;
  readonly #pushes = new Map<StreamKeyId, Push>();
  readonly #opening = new Map<StreamKeyId, Promise<Push>>();

  constructor(options: PushedIngressesOptions) {
    super();
    this.#options = options;
    options.keys.events.on('deleted', ({ id }) => void this.#pushes.get(id)?.close('kicked'));
  }

  /** The ingress of a key, while its participant is in the room. */
  find(id: StreamKeyId): { readonly ingress: Ingress; readonly isPublishing: boolean } | undefined {
    const push = this.#pushes.get(id);
    return push && !push.isClosed ? push : undefined;
  }

  /** @throws GatewayError `unauthorized`, `rate_limited` */
  async authorize({ protocol, key, remoteAddress }: PushRequest): Promise<PushGrant> {
    const record = await this.#options.keys.verify(protocol, key).catch((thrown: unknown) => {
      this.#options.failures.consume(remoteAddress);
      throw thrown;
    });
    return {
      publisherId: record.id,
      whenBusy: record.onConflict,
      passphrase: record.passphrase,
      accept: async (source) => (await this.#pushOf(record)).take(source),
    };
  }

  async #pushOf(record: StreamKeyRecord): Promise<Push> {
    const known = this.#pushes.get(record.id);
    if (known && !known.isClosed) return known;
    await known?.done;
    const opening = this.#opening.get(record.id) ?? this.#openPush(record);
    this.#opening.set(record.id, opening);
    return opening;
  }

  async #openPush(record: StreamKeyRecord): Promise<Push> {
    try {
      const push = this.own(await Push.open(record, this.#options));
      this.#pushes.set(record.id, push);
      void push.done.then(() => this.#pushes.get(record.id) === push && this.#pushes.delete(record.id));
      // The key may have been deleted while the room was opened.
      await this.#options.keys.get(record.id).catch(async (thrown: unknown) => {
        await push.close('kicked');
        throw thrown;
      });
      return push;
    } finally {
      this.#opening.delete(record.id);
    }
  }

  protected override onClose(): void {
    this.#pushes.clear();
  }
}

/** The participant of a stream key, with a publisher or waiting for the next. */
class Push extends Owned {
  readonly ingress: Ingress;
  readonly #slot: PublisherSlot;
  readonly #graceMs: number;
  #publisher: MediaSource | undefined;
  #graceTimer: NodeJS.Timeout | undefined;

  static async open(record: StreamKeyRecord, options: PushedIngressesOptions): Promise<Push> {
    const { rooms, media, log, graceMs, startTimeoutMs, stallTimeoutMs, latency } = options;
    const room = await rooms.open(record.roomId);
    const slot = new PublisherSlot();
    const spec: IngressJobSpec = {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      latency: record.latency ?? latency,
      startTimeoutMs,
      stallTimeoutMs,
    };
    const ingress = await Ingress.start({
      room,
      media,
      spec,
      user: record.name,
      displayName: record.name,
      log: log.child({ publisher: record.id, room: room.name }),
      openSource: () => slot.open(),
    });
    return new Push(ingress, slot, graceMs);
  }

  private constructor(ingress: Ingress, slot: PublisherSlot, graceMs: number) {
    super();
    this.ingress = ingress;
    this.#slot = slot;
    this.#graceMs = graceMs;
    // Kicked, the room closed, or nothing in it that the room can show: the publisher has to know.
    ingress.events.on('closed', (reason) => void this.close(reason));
    this.signal.addEventListener('abort', () => {
      clearTimeout(this.#graceTimer);
      slot.dismiss(this.signal.reason as CloseReason);
    });
  }

  get isPublishing(): boolean {
    return this.#publisher !== undefined;
  }

  /** @throws GatewayError `closed` when it has just ended */
  take(source: MediaSource): void {
    if (this.isClosed) throw new GatewayError('closed', 'The stream was ended by the server; try again.');
    clearTimeout(this.#graceTimer);
    this.#publisher = source;
    this.#slot.offer(source);
    void source.done.then(({ reason, mayReturn }) => {
      if (this.#publisher !== source) return;
      this.#publisher = undefined;
      // Whoever said goodbye is not waited for; whoever was replaced has its successor on the way.
      if (!mayReturn && reason === 'peer_left') void this.close('peer_left');
      else this.#graceTimer = setTimeout(() => void this.close('timeout'), this.#graceMs);
    });
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    await this.ingress.close(reason);
  }
}
