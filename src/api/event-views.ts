// Owns: events and webhooks as the API shows them. Pure. May import: core, ./contract.
import type { GatewayEvent } from '#core/gateway-events.ts';
import { maskedUrl } from '#core/masked-url.ts';
import type { Delivery, WebhookRecord } from '#core/webhook.ts';
import type { DeliveryResource, EventResource, WebhookResource } from './contract.ts';
import { timeText } from './views.ts';

export function eventView({ id, type, atMs, room, data }: GatewayEvent): EventResource {
  return { id, type, at: timeText(atMs), room: room ?? null, data: { ...data } };
}

export function webhookView(
  record: WebhookRecord,
  counts: { pendingCount: number; droppedCount: number },
): WebhookResource {
  const { id, url, description, types, roomId, isEnabled, disabledReason, createdAtMs } = record;
  return {
    ...{ id, url: maskedUrl(url), description, types: [...types], roomId: roomId ?? null, isEnabled },
    disabledReason: disabledReason ?? null,
    createdAt: timeText(createdAtMs),
    ...counts,
  };
}

export function deliveryView(delivery: Delivery): DeliveryResource {
  const { id, event, state, attempts, createdAtMs, updatedAtMs, status, error, isReplay } = delivery;
  return {
    id: deliveryId(id),
    state,
    attempts,
    createdAt: timeText(createdAtMs),
    updatedAt: timeText(updatedAtMs),
    status: status ?? null,
    error: error ?? null,
    isReplay,
    event: eventView(event),
  };
}

const digits = 12;

/** Sorts as text in the order of the queue. */
export const deliveryId = (id: number): string => `DL_${String(id).padStart(digits, '0')}`;

/** @returns undefined for what is no id of a delivery */
export function parseDeliveryId(id: string): number | undefined {
  const [, number] = /^DL_(\d{12})$/.exec(id) ?? [];
  return number === undefined ? undefined : Number(number);
}
