// An event log in memory, fed by the rooms, and webhooks that may reach loopback.
import { tapRooms } from '#api/event-taps.ts';
import { eventView } from '#api/event-views.ts';
import { Idempotency } from '#api/idempotency.ts';
import { StreamSlots } from '#api/stream-slots.ts';
import type { Config } from '#config/schema.ts';
import { EventLog } from '#core/event-log.ts';
import { NetPolicy } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { StorePort } from '#core/store-port.ts';
import { openJournal } from '#store/journal.ts';
import { Webhooks } from '#webhooks/index.ts';

export async function someEvents(parts: {
  rooms: Rooms;
  store: StorePort;
  log: Logger;
  config: Config;
  secrets: SecretBox;
}) {
  const { rooms, store, log, config, secrets } = parts;
  const journal = openJournal(':memory:', log);
  const eventLog = new EventLog({ store: journal.events, ...config.events, log });
  const webhooks = await Webhooks.create({
    ...{ store, deliveries: journal.deliveries, eventLog, secrets, settings: config.webhooks, log },
    policy: new NetPolicy({ ...config.netPolicy, schemes: ['http', 'https'] }),
    present: eventView,
    userAgent: 'Switchyard/test',
  });
  tapRooms(rooms, eventLog);
  const idempotency = new Idempotency({ store, secrets, log });
  const streams = new StreamSlots(config.events.maxFollowers);
  return { eventLog, webhooks, secrets, idempotency, streams, audit: journal.audit };
}
