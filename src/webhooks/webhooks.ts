// Owns: the webhooks there are: kept in the store, each with its courier. May import: core, ./…
import { GatewayError } from '#core/errors.ts';
import type { EventLog, NewDelivery } from '#core/event-log.ts';
import { type GatewayEvent, matchesFilter } from '#core/gateway-events.ts';
import { inParts, nextTurn } from '#core/in-parts.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { assertMayPull, type NetPolicy } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { StoredDocument, StorePort } from '#core/store-port.ts';
import {
  type Delivery,
  type DeliveryQuery,
  type DeliveryStorePort,
  newWebhookId,
  type WebhookEntry,
  type WebhookInput,
  type WebhookRecord,
  type WebhooksPort,
} from '#core/webhook.ts';
import { Courier, type CourierSettings } from './courier.ts';
import { post } from './post.ts';
import { newSecret, signatureHeaders } from './signature.ts';

export interface WebhooksSettings extends CourierSettings {
  readonly timeoutMs: number;
  /** Waiting for one receiver; what comes when there are more is dropped for it. */
  readonly maxPending: number;
  readonly maxCount: number;
}

export interface WebhooksOptions {
  readonly store: StorePort;
  readonly deliveries: DeliveryStorePort;
  readonly eventLog: EventLog;
  readonly secrets: SecretBox;
  readonly policy: NetPolicy;
  readonly settings: WebhooksSettings;
  /** The event as the API shows it. */
  readonly present: (event: GatewayEvent) => unknown;
  readonly userAgent: string;
  readonly log: Logger;
}

const collection = 'webhooks';
const pruneIntervalMs = 600_000;
const recountMs = 1_000;
const deliveriesKeptMs = 7 * 86_400_000;

export class Webhooks extends Owned implements WebhooksPort {
  readonly #options: WebhooksOptions;
  readonly #entries = new Map<string, WebhookEntry>();
  readonly #couriers = new Map<string, Courier>();
  /** Counted in the store once a second at the most, and in between by what is added. */
  readonly #waiting = new Map<string, { count: number; readonly countedAtMs: number }>();
  readonly #dropped = new Map<string, number>();
  readonly #pruneTimer: NodeJS.Timeout;

  static async create(options: WebhooksOptions): Promise<Webhooks> {
    const webhooks = new Webhooks(options);
    const found = await options.store.list<WebhookRecord>(collection);
    for (const document of found) webhooks.#keep(document);
    return webhooks;
  }

  private constructor(options: WebhooksOptions) {
    super();
    this.#options = options;
    options.eventLog.routeDeliveries((event) => this.#deliveriesOf(event));
    options.eventLog.events.on('appended', this.#wake);
    this.#pruneTimer = setInterval(() => this.#prune(), pruneIntervalMs).unref();
  }

  list(): readonly WebhookEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
  }

  get(id: string): WebhookEntry {
    const found = this.#entries.get(id);
    if (!found) throw new GatewayError('not_found', 'There is no such webhook.');
    return found;
  }

  async create(input: WebhookInput): Promise<{ entry: WebhookEntry; secret: string }> {
    const { settings, secrets } = this.#options;
    this.#assertReachable(input.url);
    if (this.#entries.size >= settings.maxCount) {
      throw new GatewayError('limit_reached', `There are at most ${settings.maxCount} webhooks.`);
    }
    const secret = newSecret();
    const record: WebhookRecord = {
      ...input,
      id: newWebhookId(),
      disabledReason: undefined,
      createdAtMs: Date.now(),
      secrets: [{ sealed: secrets.seal(secret) }],
    };
    return { entry: await this.#put(record, 0), secret };
  }

  async update(id: string, change: Partial<WebhookInput>, expectedRevision?: number): Promise<WebhookEntry> {
    const { record, revision } = this.get(id);
    if (change.url !== undefined) this.#assertReachable(change.url);
    const next = { ...record, ...change };
    if (change.isEnabled) next.disabledReason = undefined;
    return this.#put(next, expectedRevision ?? revision);
  }

  async rotateSecret(id: string, keepOldMs: number): Promise<{ entry: WebhookEntry; secret: string }> {
    const { record, revision } = this.get(id);
    const secret = newSecret();
    const expiresAtMs = Date.now() + keepOldMs;
    const [current] = record.secrets;
    const old = current && keepOldMs > 0 ? [{ sealed: current.sealed, expiresAtMs }] : [];
    const next = { ...record, secrets: [{ sealed: this.#options.secrets.seal(secret) }, ...old] };
    return { entry: await this.#put(next, revision), secret };
  }

  async delete(id: string): Promise<void> {
    this.get(id);
    this.#entries.delete(id);
    await this.#couriers.get(id)?.close('requested');
    this.#couriers.delete(id);
    // Before the record: of one that is still there after a crash no delivery is left behind that nobody would make.
    while (this.#options.deliveries.forget(id)) await nextTurn();
    await this.#options.store.delete(collection, id);
  }

  pendingCount(id: string): number {
    return this.#options.deliveries.pendingCount(id);
  }

  droppedCount(id: string): number {
    return this.#dropped.get(id) ?? 0;
  }

  deliveriesOf(id: string, query: DeliveryQuery): readonly Delivery[] {
    this.get(id);
    return this.#options.deliveries.list(id, query);
  }

  delivery(id: string, deliveryId: number): Delivery {
    const found = this.#options.deliveries.find(this.get(id).record.id, deliveryId);
    if (!found) throw new GatewayError('not_found', 'There is no such delivery; old ones are not kept.');
    return found;
  }

  replay(id: string, { seq, lane }: { seq: number; lane: string }): Delivery {
    this.get(id);
    const queued = this.#options.deliveries.replay(id, seq, lane);
    if (!queued) throw new GatewayError('not_found', 'That event is no longer kept.');
    this.#couriers.get(id)?.wake(lane);
    return queued;
  }

  hurry(id: string): void {
    this.get(id);
    this.#couriers.get(id)?.hurry();
  }

  #deliveriesOf(event: GatewayEvent): NewDelivery[] {
    const lane = event.room?.id ?? '';
    const to: NewDelivery[] = [];
    for (const { record } of this.#entries.values()) {
      const isAboutIt = event.type.startsWith('webhook.') && event.data.id === record.id;
      // Its own failures are for others to hear; only a test is meant for it.
      if (isAboutIt ? event.type !== 'webhook.tested' : !matchesFilter(event, record)) continue;
      if (!record.isEnabled || this.#isFull(record.id)) continue;
      to.push({ webhookId: record.id, seq: event.seq, lane });
    }
    return to;
  }

  #isFull(id: string): boolean {
    const now = performance.now();
    let waiting = this.#waiting.get(id);
    if (!waiting || now - waiting.countedAtMs > recountMs) {
      waiting = { count: this.pendingCount(id), countedAtMs: now };
      this.#waiting.set(id, waiting);
    }
    if (waiting.count++ < this.#options.settings.maxPending) return false;
    this.#dropped.set(id, this.droppedCount(id) + 1);
    return true;
  }

  readonly #wake = (events: readonly GatewayEvent[]): void => {
    const lanes = new Set(events.map(({ room }) => room?.id ?? ''));
    for (const courier of this.#couriers.values()) for (const lane of lanes) courier.wake(lane);
  };

  #assertReachable(url: string): void {
    if (!URL.canParse(url)) throw new GatewayError('invalid_request', 'A webhook needs an http: or https: URL.');
    assertMayPull(this.#options.policy, url);
  }

  async #put(record: WebhookRecord, revision: number): Promise<WebhookEntry> {
    return this.#keep(await this.#options.store.put(collection, record.id, record, revision));
  }

  #keep({ value, revision }: StoredDocument<WebhookRecord>): WebhookEntry {
    const entry = { record: value, revision };
    this.#entries.set(value.id, entry);
    const courier = this.#couriers.get(value.id);
    if (value.isEnabled && !courier) this.#couriers.set(value.id, this.#courierFor(value.id));
    if (!value.isEnabled && courier) {
      this.#couriers.delete(value.id);
      void courier.close('requested');
    }
    return entry;
  }

  #courierFor(id: string): Courier {
    const { deliveries, settings, log, eventLog } = this.#options;
    return this.own(
      new Courier({
        webhookId: id,
        deliveries,
        settings,
        log,
        send: (delivery, signal) => this.#send(id, delivery, signal),
        onGone: () => void this.#disable(id, 'The receiver answered 410 Gone.'),
        onFailed: ({ event }, error) => eventLog.emit('webhook.failed', { id, eventId: event.id, error }),
      }),
    );
  }

  async #disable(id: string, reason: string): Promise<void> {
    const { log, eventLog } = this.#options;
    try {
      const { record, revision } = this.get(id);
      await this.#put({ ...record, isEnabled: false, disabledReason: reason }, revision);
      eventLog.emit('webhook.disabled', { id, reason });
    } catch (err) {
      log.error({ err, webhook: id }, 'webhook not turned off');
    }
  }

  #send(id: string, { event, attempts, isReplay }: Delivery, signal: AbortSignal): ReturnType<typeof post> {
    const { present, policy, settings, secrets, userAgent } = this.#options;
    const { record } = this.get(id);
    const body = JSON.stringify(present(event));
    const good = record.secrets.filter(({ expiresAtMs = Number.POSITIVE_INFINITY }) => expiresAtMs > Date.now());
    const message = { id: event.id, timestampS: Math.floor(Date.now() / 1_000), body };
    const signed = signatureHeaders(
      message,
      good.map(({ sealed }) => secrets.open(sealed)),
    );
    const headers = {
      ...{ 'content-type': 'application/json', 'user-agent': userAgent, ...signed },
      ...{ 'webhook-attempt': String(attempts + 1), ...(isReplay && { 'webhook-replay': 'true' }) },
    };
    return post({ url: new URL(record.url), headers, body, policy, timeoutMs: settings.timeoutMs, signal });
  }

  #prune(): void {
    const { deliveries, log } = this.#options;
    const olderThanMs = Date.now() - deliveriesKeptMs;
    inParts(
      (after) => (this.isClosed ? undefined : deliveries.prune(olderThanMs, after)),
      (err) => log.error({ err }, 'old deliveries not deleted'),
    );
  }

  protected override onClose(_reason: CloseReason): void {
    clearInterval(this.#pruneTimer);
    this.#options.eventLog.events.off('appended', this.#wake);
  }
}
