// An event log in memory, fed by the rooms, and webhooks that may reach loopback.
import { randomBytes } from 'node:crypto';
import { tapRooms } from '#api/event-taps.ts';
import { eventView } from '#api/event-views.ts';
import { StreamSlots } from '#api/stream-slots.ts';
import type { Config } from '#config/schema.ts';
import { EventLog } from '#core/event-log.ts';
import { NetPolicy } from '#core/net-policy.ts';
import type { Logger, StorePort } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import { openJournal } from '#store/journal.ts';
import { secretBoxOf } from '#store/secret-box.ts';
import { Webhooks } from '#webhooks/index.ts';

export async function someEvents(parts: { rooms: Rooms; store: StorePort; log: Logger; config: Config }) {
  const { rooms, store, log, config } = parts;
  const journal = openJournal(':memory:', log);
  const eventLog = new EventLog({ store: journal.events, ...config.events, log });
  const secrets = secretBoxOf(randomBytes(32));
  const webhooks = await Webhooks.create({
    ...{ store, deliveries: journal.deliveries, eventLog, secrets, settings: config.webhooks, log },
    policy: new NetPolicy({ ...config.netPolicy, schemes: ['http', 'https'] }),
    present: eventView,
    userAgent: 'Switchyard/test',
  });
  tapRooms(rooms, eventLog);
  return { eventLog, webhooks, secrets, streams: new StreamSlots(config.events.maxFollowers) };
}
