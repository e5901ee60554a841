// Owns: all that this client receives. May import: mediasoup-client (types) and its siblings.
import type { Consumer } from 'mediasoup-client/types';
import type { EventMap, PublicationInfo, SubscriptionInfo } from '#signalling/protocol.ts';
import { ClientError, isPassing, toClientError } from './errors.ts';
import type { MediaSession } from './media-session.ts';
import { firstPicture, layerCountOf, receive } from './receive.ts';
import type { SubscriptionView } from './room-state.ts';
import type { Requester } from './signalling-socket.ts';
import { defaultWish, difference, type Told, toldAtStart, type Wish } from './subscription-wishes.ts';

export interface SubscriberOptions {
  readonly requester: Requester;
  /** Publications of others that are to be received. */
  readonly wanted: () => readonly PublicationInfo[];
  readonly onChanged: (views: ReadonlyMap<string, SubscriptionView>, failed: ReadonlyMap<string, string>) => void;
  readonly onAdded: (view: SubscriptionView) => void;
  readonly onRemoved: (view: SubscriptionView) => void;
}

interface Active {
  readonly publication: PublicationInfo;
  readonly subscriptionId: string;
  consumer: Consumer;
  layerCount: number;
  told: Told;
  format: SubscriptionView['format'];
  isHeldBack: boolean;
  currentLayers: SubscriptionView['currentLayers'];
  score: number | undefined;
}

type Update = EventMap['subscriptionUpdated'];
type Format = SubscriptionView['format'];

/** Changes that come together (a join, a new layout) are asked together. */
const batchDelayMs = 20;
const maxPerRequest = 200;
const retryDelayMs = 1_000;
/** Updates about subscriptions whose answer is still on its way. */
const maxEarlyUpdates = 500;

export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #wishes = new Map<string, Wish>();
  readonly #active = new Map<string, Active>();
  readonly #failed = new Map<string, string>();
  readonly #early = new Map<string, Update>();
  /** By subscription: consumers that took the place of those in an answer that is still on its way. */
  readonly #redirects = new Map<string, SubscriptionInfo>();
  #media: MediaSession | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isFlushing = false;
  #isDirty = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  get subscriptions(): Iterable<{ publication: PublicationInfo; consumer: Consumer }> {
    return this.#active.values();
  }

  attach(media: MediaSession): void {
    this.#media = media;
    this.#failed.clear();
    this.review();
  }

  /** The transport is gone, and every subscription on it; what was wanted of them stays. */
  detach(): void {
    this.#media = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#early.clear();
    this.#redirects.clear();
    for (const active of [...this.#active.values()]) this.#drop(active);
  }

  wish(publicationId: string): Wish {
    return this.#wishes.get(publicationId) ?? defaultWish;
  }

  change(publicationId: string, change: Partial<Wish>): void {
    const before = this.wish(publicationId);
    const keys = Object.keys(change) as (keyof Wish)[];
    if (keys.every((key) => before[key] === change[key])) return;
    this.#wishes.set(publicationId, { ...before, ...change });
    this.review();
  }

  /** Publications that will not come back. */
  forget(publicationIds: readonly string[]): void {
    for (const id of publicationIds) this.#wishes.delete(id);
    this.review();
  }

  /** Something changed: who publishes what, or what is wanted. */
  review(): void {
    this.#isDirty = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#flush();
    }, batchDelayMs);
  }

  updated(update: Update): void {
    const active = this.#bySubscription(update.subscriptionId);
    if (active) {
      // Asked for by the API, or not to be had any more: wanted like one's own wish.
      if (update.format !== active.format) this.#wishFormat(active.publication.id, update.format);
      Object.assign(active, pick(update));
      this.#tell();
    } else if (this.#early.size < maxEarlyUpdates) this.#early.set(update.subscriptionId, update);
  }

  /**
   * Live; it stays with new transports, too.
   * @throws ClientError `not_found`, `invalid_request`, `forbidden`, `unprocessable`, `overloaded`: what was goes on
   */
  async setFormat(publicationId: string, format: Format): Promise<void> {
    const active = this.#active.get(publicationId);
    if (!active) throw new ClientError('not_found', 'That publication is not received.');
    await this.#request('setFormat', { subscriptionId: active.subscriptionId, format });
    this.#wishFormat(publicationId, format);
  }

  #wishFormat(publicationId: string, format: Format): void {
    this.#wishes.set(publicationId, { ...this.wish(publicationId), format });
  }

  /** The server sends it by another consumer from now on: its track takes the place of the one that is shown. */
  async redirected({ subscription: info }: EventMap['subscriptionRedirected']): Promise<void> {
    const media = this.#media;
    const active = this.#bySubscription(info.id);
    if (!media?.recvTransport) return;
    if (!active) {
      if (this.#redirects.size < maxEarlyUpdates) this.#redirects.set(info.id, info);
      return;
    }
    const past = active.consumer;
    try {
      const consumer = await receive(media.recvTransport, active.publication, info);
      const isGone = () => media.isClosed || this.#active.get(active.publication.id) !== active;
      if (isGone() || active.consumer !== past) return void consumer.close();
      active.layerCount = layerCountOf(active.publication, info);
      active.told = { ...toldAtStart };
      const shown = firstPicture(consumer.track);
      this.review();
      await shown;
      if (isGone() || active.consumer !== past) return void consumer.close();
      active.consumer = consumer;
      past.close();
      this.#tell();
    } catch (thrown) {
      if (!media.isClosed) media.fail(toClientError(thrown).message);
    }
  }

  ended({ subscriptionId, reason }: EventMap['subscriptionEnded']): void {
    this.#early.delete(subscriptionId);
    this.#redirects.delete(subscriptionId);
    const active = this.#bySubscription(subscriptionId);
    if (!active) return;
    this.#drop(active);
    // Its publication may still be there, where the stream alone was lost.
    if (reason === 'failed') setTimeout(() => this.review(), retryDelayMs);
  }

  // ── Bringing the server to what is wanted ────────────────────────────────────────────────────────────────────────

  async #flush(): Promise<void> {
    // One at a time: the next one starts from what this one has reached.
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      while (this.#isDirty && this.#media && !this.#media.isClosed) {
        this.#isDirty = false;
        await this.#step(this.#media);
      }
    } catch (thrown) {
      this.#settle(toClientError(thrown));
    } finally {
      this.#isFlushing = false;
      // New transports may have come while this one still spoke of the old.
      if (this.#isDirty && this.#media && !this.#media.isClosed) this.review();
    }
  }

  async #step(media: MediaSession): Promise<void> {
    const { recvTransport } = media;
    if (!recvTransport) return;
    const wanted = new Map(this.#options.wanted().map((publication) => [publication.id, publication]));
    const surplus = [...this.#active.values()].filter(({ publication }) => !wanted.has(publication.id));
    for (const active of surplus) this.#drop(active);
    if (surplus.length > 0) {
      await this.#request('unsubscribe', { subscriptionIds: surplus.map(({ subscriptionId }) => subscriptionId) });
    }
    const missing = [...wanted.values()].filter(({ id }) => !this.#active.has(id) && !this.#failed.has(id));
    for (let start = 0; start < missing.length; start += maxPerRequest) {
      await this.#subscribe(media, missing.slice(start, start + maxPerRequest));
    }
    await this.#tellWishes(media);
  }

  async #subscribe(media: MediaSession, publications: readonly PublicationInfo[]): Promise<void> {
    const transportId = media.recvTransport?.id;
    if (transportId === undefined) return;
    const result = await this.#request('subscribe', { transportId, publicationIds: publications.map(({ id }) => id) });
    if (media.isClosed) return;
    const byId = new Map(publications.map((publication) => [publication.id, publication]));
    for (const { publicationId, error } of result.failed) this.#refused(media, publicationId, error);
    await Promise.all(
      result.subscriptions.map(async (info) => {
        const publication = byId.get(info.publicationId);
        if (publication) await this.#consume(media, publication, info);
      }),
    );
    this.#tell();
  }

  async #consume(media: MediaSession, publication: PublicationInfo, answered: SubscriptionInfo): Promise<void> {
    const { recvTransport } = media;
    if (!recvTransport) return;
    const info = this.#redirects.get(answered.id) ?? answered;
    this.#redirects.delete(info.id);
    try {
      const consumer = await receive(recvTransport, publication, info);
      if (media.isClosed) return;
      const active: Active = {
        publication,
        subscriptionId: info.id,
        consumer,
        layerCount: layerCountOf(publication, info),
        told: { ...toldAtStart },
        format: null,
        isHeldBack: false,
        currentLayers: null,
        score: undefined,
        ...pick(this.#early.get(info.id)),
      };
      this.#early.delete(info.id);
      this.#active.set(publication.id, active);
      this.#options.onAdded(this.#view(active));
      this.#formatAgain(active);
    } catch (thrown) {
      if (media.isClosed) return;
      this.#failed.set(publication.id, toClientError(thrown).message);
      await this.#request('unsubscribe', { subscriptionIds: [info.id] });
    }
  }

  /** With new transports what was asked for before is asked again. */
  #formatAgain({ publication, subscriptionId, format: present }: Active): void {
    const { format } = this.wish(publication.id);
    if (!format || present) return;
    this.#request('setFormat', { subscriptionId, format }).catch(() => {
      // It cannot be had any more: the stream is shown as it is, and its view says so.
      this.#wishFormat(publication.id, null);
    });
  }

  #refused(media: MediaSession, publicationId: string, error: { code: ClientError['code']; message: string }): void {
    switch (error.code) {
      // Ended between its announcement and our request.
      case 'closed':
      case 'not_found':
        break;
      // The answer to an earlier request was lost with its socket, and the id with it: begin with new transports.
      case 'conflict':
        media.fail(error.message);
        break;
      case 'media_lost':
      case 'overloaded':
      case 'internal':
      case 'timeout':
        setTimeout(() => this.review(), retryDelayMs);
        break;
      default:
        this.#failed.set(publicationId, error.message);
    }
  }

  async #tellWishes(media: MediaSession): Promise<void> {
    const byId = new Map([...this.#active.values()].map((active) => [active.subscriptionId, active]));
    const requests = difference(
      [...byId.values()].map(({ subscriptionId, layerCount, told, publication }) => ({
        subscriptionId,
        layerCount,
        fullPx: publication.source === 'screen' ? 1_080 : 720,
        told,
        wish: this.wish(publication.id),
      })),
    );
    // Until the answer is there nobody knows whether it was done: should the socket go now, it is asked again.
    const tell = async <K extends keyof Told>(
      ids: readonly string[],
      key: K,
      value: Told[K],
      asked: Promise<unknown>,
    ) => {
      const told = ids.flatMap((id) => byId.get(id)?.told ?? []);
      for (const one of told) one[key] = undefined as Told[K];
      await asked.catch(unlessEnded);
      for (const one of told) one[key] = value;
    };
    const ask = this.#request;
    // Layers first: what is resumed then starts with the right one.
    await Promise.all([
      ...requests.layers.map(({ subscriptionId, layers }) =>
        tell([subscriptionId], 'layers', layers, ask('setLayers', { subscriptionId, layers })),
      ),
      ...requests.priority.map(({ subscriptionId, priority }) =>
        tell([subscriptionId], 'priority', priority, ask('setPriority', { subscriptionId, priority })),
      ),
      ...requests.pinned.map(({ subscriptionId, isPinned }) =>
        tell([subscriptionId], 'isPinned', isPinned, ask('setPinned', { subscriptionId, isPinned })),
      ),
      ...chunks(requests.resume).map((subscriptionIds) =>
        tell(subscriptionIds, 'isPaused', false, ask('resumeSubscriptions', { subscriptionIds })),
      ),
      ...chunks(requests.pause).map((subscriptionIds) =>
        tell(subscriptionIds, 'isPaused', true, ask('pauseSubscriptions', { subscriptionIds })),
      ),
    ]);
    if (!media.isClosed) this.#tell();
  }

  #settle(error: ClientError): void {
    const media = this.#media;
    if (!media || media.isClosed || error.code === 'disconnected') return;
    if (isPassing(error.code)) setTimeout(() => this.review(), error.retryAfterMs ?? retryDelayMs);
    // The transport is not what the server has: start over with new ones.
    else media.fail(error.message);
  }

  #request: Requester['request'] = (method, data) => this.#options.requester.request(method, data);

  #drop(active: Active): void {
    this.#active.delete(active.publication.id);
    active.consumer.close();
    this.#options.onRemoved(this.#view(active));
    this.#tell();
  }

  #bySubscription(subscriptionId: string): Active | undefined {
    return [...this.#active.values()].find((active) => active.subscriptionId === subscriptionId);
  }

  #view(active: Active): SubscriptionView {
    const { publication, subscriptionId, consumer, isHeldBack, currentLayers, score, format } = active;
    const { isPaused, isPinned } = this.wish(publication.id);
    return {
      publicationId: publication.id,
      participantId: publication.participantId,
      kind: publication.kind,
      source: publication.source,
      subscriptionId,
      track: consumer.track,
      isPaused,
      isHeldBack,
      isPinned,
      format,
      currentLayers,
      score,
    };
  }

  #tell(): void {
    const views = [...this.#active.values()].map((active) => [active.publication.id, this.#view(active)] as const);
    this.#options.onChanged(new Map(views), new Map(this.#failed));
  }
}

/** A subscription that has just ended cannot be changed any more; its event is on the way. */
function unlessEnded(thrown: unknown): void {
  const { code } = toClientError(thrown);
  if (code !== 'not_found' && code !== 'closed' && code !== 'unprocessable') throw thrown;
}

function pick(update: Update | undefined): Partial<Pick<Active, 'isHeldBack' | 'currentLayers' | 'score' | 'format'>> {
  if (!update) return {};
  const { isHeldBack, currentLayers, score, format } = update;
  return { isHeldBack, currentLayers, score, format };
}

function chunks(ids: readonly string[]): string[][] {
  const count = Math.ceil(ids.length / maxPerRequest);
  return Array.from({ length: count }, (_, index) => ids.slice(index * maxPerRequest, (index + 1) * maxPerRequest));
}
