// Owns: bringing one webhook's deliveries to its receiver: in order in each lane, some lanes at once, with patience.
import { toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import type { Delivery, DeliveryOutcome, DeliveryStorePort } from '#core/webhook.ts';
import { type BackoffSettings, retryDelayMs } from './backoff.ts';
import type { PostAnswer } from './post.ts';

export interface CourierSettings extends BackoffSettings {
  /** A delivery that has waited so long fails, and the next one of its lane gets its turn. */
  readonly giveUpAfterMs: number;
  /** Requests to one receiver at once. */
  readonly maxInFlight: number;
}

export interface CourierOptions {
  readonly webhookId: string;
  readonly deliveries: DeliveryStorePort;
  readonly settings: CourierSettings;
  readonly log: Logger;
  /** @throws GatewayError as `post()` does */
  readonly send: (delivery: Delivery, signal: AbortSignal) => Promise<PostAnswer>;
  /** The receiver has said that it will never want more (410). */
  readonly onGone: () => void;
  readonly onFailed: (delivery: Delivery, error: string) => void;
}

const closeGraceMs = 1_000;

interface Lane {
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Each lane is `idle`, waiting for its turn, in flight, or waiting out a failure; what is in a lane is in the store, so
 * that a restart goes on where this one stopped. An attempt whose answer was lost is made again: receivers tell by the
 * id.
 */
export class Courier extends Owned {
  readonly #options: CourierOptions;
  readonly #log: Logger;
  readonly #lanes = new Map<string, Lane>();
  readonly #turns: string[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  /** Of attempts, which outlive the beginning of the end for a moment. */
  readonly #cut = new AbortController();

  constructor(options: CourierOptions) {
    super();
    this.#options = options;
    this.#log = options.log.child({ webhook: options.webhookId });
    for (const lane of options.deliveries.pendingLanes(options.webhookId)) this.wake(lane);
  }

  /** Something was put into the lane. */
  wake(name: string): void {
    if (this.isClosed || this.#lanes.has(name)) return;
    this.#lanes.set(name, { failures: 0, timer: undefined });
    this.#queue(name);
  }

  /** Does not wait for the ends of back-offs: somebody says that the receiver is there again. */
  hurry(): void {
    for (const [name, lane] of this.#lanes) {
      if (!lane.timer) continue;
      clearTimeout(lane.timer);
      lane.timer = undefined;
      this.#queue(name);
    }
  }

  #queue(name: string): void {
    this.#turns.push(name);
    this.#fill();
  }

  #fill(): void {
    while (!this.isClosed && this.#inFlight.size < this.#options.settings.maxInFlight) {
      const name = this.#turns.shift();
      if (name === undefined) return;
      const run = this.#deliverNext(name).catch((err: unknown) => {
        // The store failed: what is in the lane stays there, and the next event or start wakes it.
        this.#log.error({ err }, 'webhook lane stopped');
        this.#lanes.delete(name);
      });
      this.#inFlight.add(run);
      void run.then(() => {
        this.#inFlight.delete(run);
        this.#fill();
      });
    }
  }

  async #deliverNext(name: string): Promise<void> {
    const { webhookId, deliveries } = this.#options;
    const lane = this.#lanes.get(name);
    const delivery = deliveries.next(webhookId, name);
    if (!lane || !delivery) {
      this.#lanes.delete(name);
      return;
    }
    const outcome = await this.#attempt(delivery);
    if (!outcome) return;
    deliveries.note(delivery.id, outcome);
    if (outcome.state === 'failed') this.#options.onFailed(delivery, outcome.error ?? '');
    if (this.isClosed) return;
    if (outcome.state === 'pending') {
      lane.failures++;
      this.#waitOut(name, lane, outcome.retryAfterMs);
      return;
    }
    lane.failures = 0;
    this.#turns.push(name);
  }

  #waitOut(name: string, lane: Lane, retryAfterMs: number | undefined): void {
    const delayMs = Math.max(retryAfterMs ?? 0, retryDelayMs(lane.failures, this.#options.settings, Math.random()));
    lane.timer = setTimeout(() => {
      lane.timer = undefined;
      this.#queue(name);
    }, delayMs).unref();
  }

  /** @returns undefined when we closed in the middle: it counts as not tried */
  async #attempt(delivery: Delivery): Promise<(DeliveryOutcome & { retryAfterMs?: number | undefined }) | undefined> {
    const attempts = delivery.attempts + 1;
    const { send, settings, onGone } = this.#options;
    let status: number | undefined;
    let error: string;
    let retryAfterMs: number | undefined;
    try {
      ({ status, retryAfterMs } = await send(delivery, this.#cut.signal));
      if (status >= 200 && status < 300) return { state: 'delivered', attempts, status, error: undefined };
      error = `The receiver answered ${status}.`;
      if (status === 410) onGone();
    } catch (thrown) {
      if (this.#cut.signal.aborted) return undefined;
      const failure = toGatewayError(thrown);
      if (failure.code === 'internal') this.#log.error({ err: thrown }, 'webhook not sent');
      error = failure.message;
    }
    const isOver = status === 410 || Date.now() - delivery.createdAtMs >= settings.giveUpAfterMs;
    this.#log.debug({ event: delivery.event.id, attempts, status, reason: error }, 'webhook refused');
    return { state: isOver ? 'failed' : 'pending', attempts, status, error, retryAfterMs };
  }

  /** What is under way may end: cut off now, it would be sent again although it has arrived. */
  protected override async onClose(_reason: CloseReason): Promise<void> {
    for (const { timer } of this.#lanes.values()) clearTimeout(timer);
    const late = setTimeout(() => this.#cut.abort(), closeGraceMs);
    await Promise.all(this.#inFlight);
    clearTimeout(late);
    this.#lanes.clear();
  }
}
