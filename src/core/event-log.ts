// Owns: the one ordered log of what happened, and waking those that read it. May import: core only.
import { EventEmitter } from 'node:events';
import type { GatewayEvent } from './gateway-events.ts';
import { type EventQuery, type EventRoom, type EventSink, type EventType, eventId } from './gateway-events.ts';
import { inParts, nextTurn } from './in-parts.ts';
import { Owned } from './lifecycle.ts';
import type { Logger } from './ports.ts';

/** What of a webhook's queue is written together with the event, so that neither is there without the other. */
export interface NewDelivery {
  readonly webhookId: string;
  readonly seq: number;
  /** Deliveries of one lane go out in order: the room's id, or empty. */
  readonly lane: string;
}

export interface EventStorePort {
  /** Of this data folder: made once, with the first event. */
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** All or nothing, on the disk when it returns (a killed process loses nothing; a power cut may lose the last moments). */
  append(events: readonly GatewayEvent[], deliveries: readonly NewDelivery[]): void;
  read(query: EventQuery): readonly GatewayEvent[];
  /**
   * Deletes a part of what is older, and of the rest all but the newest `keep`.
   *
   * @param after where the part before ended, 0 for the first
   * @returns where this one has; undefined when that was all
   */
  prune(olderThanMs: number, keep: number, after: number): number | undefined;
}

export interface EventLogOptions {
  readonly store: EventStorePort;
  readonly retentionMs: number;
  readonly maxCount: number;
  readonly log: Logger;
}

export type EventLogEvents = {
  /** They are in the store. */
  appended: [events: readonly GatewayEvent[]];
};

const pruneIntervalMs = 60_000;
/** Some milliseconds' worth of looking. */
const searchedAtOnce = 10_000;
const gatherMs = 10;
/** After a write of many: they come in a storm, and each write costs as much as twenty of them. */
const stormGatherMs = 40;
const stormCount = 16;

/**
 * Events get their place when they are emitted and are written together at the end of the turn of the event loop, or
 * `gatherMs` after the last write where that was a moment ago, longer in a storm: joins of many cost few transactions. Readers are woken after the write, so that nobody is told of an event
 * that a crash could take back.
 */
export class EventLog extends Owned implements EventSink {
  readonly events = new EventEmitter<EventLogEvents>();
  readonly #options: EventLogOptions;
  readonly #pruneTimer: NodeJS.Timeout;
  #deliveriesOf: (event: GatewayEvent) => readonly NewDelivery[] = () => [];
  #waiting: GatewayEvent[] = [];
  #lastSeq: number;
  #nextWriteMs = Number.NEGATIVE_INFINITY;
  /** Who is told of a batch reads: the next one waits, or some would be told of it first. */
  #isTelling = false;

  constructor(options: EventLogOptions) {
    super();
    this.#options = options;
    this.events.setMaxListeners(0);
    this.#lastSeq = options.store.lastSeq;
    this.#pruneTimer = setInterval(() => this.#prune(), pruneIntervalMs).unref();
  }

  get epoch(): string {
    return this.#options.store.epoch;
  }

  /** Of what can still be read; one more than the last when nothing can. */
  get firstSeq(): number {
    return this.#options.store.firstSeq;
  }

  /** Of what is in the store. */
  get lastSeq(): number {
    return this.#options.store.lastSeq;
  }

  /** Asked once for every event, before it is written. */
  routeDeliveries(deliveriesOf: (event: GatewayEvent) => readonly NewDelivery[]): void {
    this.#deliveriesOf = deliveriesOf;
  }

  emit(type: EventType, data: Readonly<Record<string, unknown>>, room?: EventRoom): void {
    if (this.isClosed) return;
    const seq = ++this.#lastSeq;
    this.#waiting.push({ seq, id: eventId(seq, this.epoch), type, atMs: Date.now(), room, data });
    if (this.#waiting.length === 1) this.#flushSoon();
  }

  /** What was emitted before is in it: who asks after an answer of ours finds what the answer was about. */
  read(query: EventQuery): readonly GatewayEvent[] {
    if (!this.#isTelling) this.flush();
    return this.#options.store.read(query);
  }

  /**
   * The same, of a log of which the filter may leave out nearly everything: a part of it in each turn of the event loop.
   *
   * @returns them, and up to where the log was looked through if they are fewer than the limit
   */
  async search(query: EventQuery): Promise<{ readonly events: readonly GatewayEvent[]; readonly through: number }> {
    if (!this.#isTelling) this.flush();
    const { store } = this.#options;
    const isBackwards = query.order === 'newest';
    // What comes meanwhile is for the next one who asks.
    const through = isBackwards ? store.firstSeq : store.lastSeq;
    const events: GatewayEvent[] = [];
    for (let { after } = query; ; await nextTurn()) {
      if (this.isClosed) return { events, through };
      const until = isBackwards ? Math.max(after - searchedAtOnce, through) : Math.min(after + searchedAtOnce, through);
      events.push(...store.read({ ...query, after, until, limit: query.limit - events.length }));
      if (events.length >= query.limit || until === through) return { events, through };
      after = until;
    }
  }

  #flushSoon(): void {
    const waitMs = this.#nextWriteMs - performance.now();
    if (waitMs <= 0) setImmediate(() => this.flush());
    else setTimeout(() => this.flush(), waitMs);
  }

  /** Writes what waits; never throws: a full disk must not end calls. */
  flush(): void {
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    this.#nextWriteMs = performance.now() + (batch.length > stormCount ? stormGatherMs : gatherMs);
    try {
      this.#options.store.append(
        batch,
        batch.flatMap((event) => this.#deliveriesOf(event)),
      );
    } catch (cause) {
      this.#options.log.error({ err: cause, count: batch.length }, 'events not written');
      return;
    }
    this.#isTelling = true;
    try {
      this.events.emit('appended', batch);
    } finally {
      this.#isTelling = false;
    }
  }

  #prune(): void {
    const { store, retentionMs, maxCount, log } = this.#options;
    const olderThanMs = Date.now() - retentionMs;
    inParts(
      (after) => (this.isClosed ? undefined : store.prune(olderThanMs, maxCount, after)),
      (err) => log.error({ err }, 'old events not deleted'),
    );
  }

  protected override onClose(): void {
    clearInterval(this.#pruneTimer);
    this.flush();
  }
}
