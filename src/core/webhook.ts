// Owns: webhooks: who wants to be told of what, and how far the telling is. Pure. May import: core only.
import type { EventFilter, GatewayEvent } from './gateway-events.ts';
import { randomText } from './ids.ts';

export interface WebhookRecord extends EventFilter {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  /** Event patterns; empty is all. */
  readonly types: readonly string[];
  readonly roomId: string | undefined;
  readonly isEnabled: boolean;
  /** Why it was turned off, when it was not its owner who did. */
  readonly disabledReason: string | undefined;
  readonly createdAtMs: number;
  /** Sealed; the first signs, the others (of a rotation) sign along until they expire. */
  readonly secrets: readonly { readonly sealed: string; readonly expiresAtMs?: number | undefined }[];
}

export type DeliveryState = 'pending' | 'delivered' | 'failed';

export interface Delivery {
  /** Grows in the order in which they were queued. */
  readonly id: number;
  readonly webhookId: string;
  readonly lane: string;
  readonly event: GatewayEvent;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly createdAtMs: number;
  /** Of the last attempt, or of the end. */
  readonly updatedAtMs: number;
  /** HTTP status of the last answer. */
  readonly status: number | undefined;
  /** What went wrong with the last attempt. */
  readonly error: string | undefined;
  readonly isReplay: boolean;
}

export interface DeliveryOutcome {
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly status: number | undefined;
  readonly error: string | undefined;
}

export interface DeliveryQuery {
  readonly after: number;
  readonly limit: number;
  readonly state?: DeliveryState | undefined;
}

/** The queue of what is to be sent, and the log of what was. */
export interface DeliveryStorePort {
  /** Lanes of a webhook in which something waits. */
  pendingLanes(webhookId: string): readonly string[];
  pendingCount(webhookId: string): number;
  /** The one whose turn it is. */
  next(webhookId: string, lane: string): Delivery | undefined;
  note(id: number, outcome: DeliveryOutcome): void;
  find(webhookId: string, id: number): Delivery | undefined;
  list(webhookId: string, query: DeliveryQuery): readonly Delivery[];
  /** The event once more, at the end of its lane. @returns undefined when the event is no longer kept */
  replay(webhookId: string, seq: number, lane: string): Delivery | undefined;
  /** With the webhook everything of it goes: a part of that. @returns whether there may be more */
  forget(webhookId: string): boolean;
  /**
   * Deletes a part of what is over and older; never what still waits.
   *
   * @param after where the part before ended, 0 for the first
   * @returns where this one has; undefined when that was all
   */
  prune(olderThanMs: number, after: number): number | undefined;
}

export interface WebhookEntry {
  readonly record: WebhookRecord;
  readonly revision: number;
}

export type WebhookInput = Pick<WebhookRecord, 'url' | 'description' | 'types' | 'roomId' | 'isEnabled'>;

export interface WebhooksPort {
  /** In order of id. */
  list(): readonly WebhookEntry[];
  /** @throws GatewayError `not_found`, as the others do that take an id */
  get(id: string): WebhookEntry;
  /**
   * @returns the secret, which is shown this once
   * @throws GatewayError `invalid_request`, `forbidden` (the address), `limit_reached`
   */
  create(input: WebhookInput): Promise<{ entry: WebhookEntry; secret: string }>;
  /** @throws GatewayError `conflict` (revision), `invalid_request`, `forbidden` */
  update(id: string, change: Partial<WebhookInput>, expectedRevision?: number): Promise<WebhookEntry>;
  /** @returns the new secret; the old one signs along for `keepOldMs` */
  rotateSecret(id: string, keepOldMs: number): Promise<{ entry: WebhookEntry; secret: string }>;
  delete(id: string): Promise<void>;
  pendingCount(id: string): number;
  /** Events that were not queued because too many waited, since the start. */
  droppedCount(id: string): number;
  deliveriesOf(id: string, query: DeliveryQuery): readonly Delivery[];
  delivery(id: string, deliveryId: number): Delivery;
  /** Queues the event once more, under its own id. @throws GatewayError `not_found` when it is no longer kept */
  replay(id: string, event: { seq: number; lane: string }): Delivery;
  /** What waits is tried now, whatever its back-off says. */
  hurry(id: string): void;
}

export const newWebhookId = (): string => `WH_${randomText(12)}`;
