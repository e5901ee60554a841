// Owns: joining the event log with who is told and what is told of. May import: everything, like app.ts, which uses it.
import type { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { EventSockets, type EventSocketsOptions } from '#api/event-socket.ts';
import { tapCalls, tapJobs, tapRooms } from '#api/event-taps.ts';
import { eventView } from '#api/event-views.ts';
import { Idempotency } from '#api/idempotency.ts';
import { StreamSlots } from '#api/stream-slots.ts';
import { version } from '#api/version.ts';
import type { Config } from '#config/schema.ts';
import type { CallEvents } from '#core/call.ts';
import { EventLog } from '#core/event-log.ts';
import { inParts } from '#core/in-parts.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { NetPolicy } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { AskHook } from '#core/sip-door.ts';
import type { StorePort } from '#core/store-port.ts';
import type { MediaPool } from '#jobs/pool.ts';
import { type Journal, openJournal } from '#store/journal.ts';
import { traceCalls, traceParts } from '#telemetry/trace-taps.ts';
import { Tracer } from '#telemetry/tracer.ts';
import { createHookAsker, Webhooks } from '#webhooks/index.ts';

export interface EventPartsOptions {
  readonly config: Config;
  readonly dataFolder: string;
  readonly store: StorePort;
  readonly secrets: SecretBox;
  readonly rooms: Rooms;
  readonly media: Pick<MediaPool, 'events'>;
  readonly log: Logger;
}

const auditPruneMs = 3_600_000;

function pruneAudit(journal: Journal, { auditRetentionMs, auditMaxCount }: Config['events'], log: Logger): void {
  const olderThanMs = Date.now() - auditRetentionMs;
  inParts(
    () => (journal.isOpen && journal.audit.prune(olderThanMs, auditMaxCount) > 0 ? 0 : undefined),
    (err) => log.error({ err }, 'old audit entries not deleted'),
  );
}

async function tracerOf({ telemetry }: Config, log: Logger): Promise<Tracer | undefined> {
  const { url, authorization, samplePercent } = telemetry.otlp;
  return url === undefined ? undefined : Tracer.create({ url, authorization, samplePercent, version, log });
}

export class EventParts extends Owned {
  readonly journal: Journal;
  readonly eventLog: EventLog;
  readonly webhooks: Webhooks;
  /** For calls whose rule leaves it to a system of somebody's. */
  readonly askHook: AskHook;
  readonly streams: StreamSlots;
  readonly idempotency: Idempotency;
  /** Where the configuration names a collector. */
  readonly tracer: Tracer | undefined;

  static async create(options: EventPartsOptions): Promise<EventParts> {
    const { config, dataFolder, store, secrets, rooms, media, log } = options;
    const journal = openJournal(join(dataFolder, 'switchyard.db'), log);
    try {
      // First of all: where it does not come about, nothing but the journal is open yet.
      const tracer = await tracerOf(config, log);
      const eventLog = new EventLog({ store: journal.events, ...config.events, log });
      const policy = new NetPolicy({ ...config.netPolicy, schemes: ['http', 'https'] });
      const userAgent = `Switchyard/${version}`;
      const webhooks = await Webhooks.create({
        ...{ store, deliveries: journal.deliveries, eventLog, secrets, settings: config.webhooks, log },
        ...{ policy, userAgent, present: eventView },
      });
      const askHook = createHookAsker({ policy, userAgent, signal: eventLog.signal });
      const prune = () => pruneAudit(journal, config.events, log);
      const timer = setInterval(prune, auditPruneMs).unref();
      eventLog.signal.addEventListener('abort', () => clearInterval(timer));
      tapRooms(rooms, eventLog);
      tapJobs(media.events, rooms, eventLog);
      const idempotency = new Idempotency({ store, secrets, log });
      if (tracer) traceParts(tracer, rooms, media);
      return new EventParts({ journal, eventLog, webhooks, askHook, idempotency, tracer }, config.events.maxFollowers);
    } catch (thrown) {
      journal.close();
      throw thrown;
    }
  }

  private constructor(
    parts: Pick<EventParts, 'journal' | 'eventLog' | 'webhooks' | 'askHook' | 'idempotency' | 'tracer'>,
    maxFollowers: number,
  ) {
    super();
    this.journal = parts.journal;
    this.eventLog = parts.eventLog;
    this.webhooks = parts.webhooks;
    this.askHook = parts.askHook;
    this.idempotency = parts.idempotency;
    this.tracer = parts.tracer;
    this.streams = new StreamSlots(maxFollowers);
  }

  /** What the API is built from. */
  get forApi() {
    const { eventLog, webhooks, streams, idempotency, journal, tracer } = this;
    return { eventLog, webhooks, streams, idempotency, audit: journal.audit, tracer };
  }

  followCalls(calls: EventEmitter<CallEvents>): void {
    tapCalls(calls, this.eventLog);
    if (this.tracer) traceCalls(this.tracer, calls);
  }

  sockets(options: Omit<EventSocketsOptions, 'eventLog' | 'streams'>): EventSockets {
    return this.own(new EventSockets({ ...options, eventLog: this.eventLog, streams: this.streams }));
  }

  /** The last events are written, and stay for webhooks to bring after the next start. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    await this.eventLog.close(reason);
    await this.tracer?.close(reason);
    await this.webhooks.close(reason);
    this.journal.close();
  }
}
