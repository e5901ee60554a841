// Owns: reading the event log from a place on, waiting for more at its end. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { EventLog } from '#core/event-log.ts';
import { type EventFilter, eventId, type GatewayEvent, parseEventId } from '#core/gateway-events.ts';

const pageSize = 100;

/** Whoever reads asks for more when it has room: nothing is kept for one that is slow but its place in the log. */
export class EventCursor {
  static readonly beginning = 'beginning';
  readonly #log: EventLog;
  readonly #filter: EventFilter;
  #after: number;
  /** Some of what comes after the place that was asked for is no longer there. */
  readonly hasGap: boolean;

  /**
   * @param after id of the last event that is known, or `beginning`; undefined: only what happens from now on
   * @throws GatewayError `invalid_request` for what is no id
   */
  constructor(log: EventLog, filter: EventFilter, after: string | undefined) {
    this.#log = log;
    this.#filter = filter;
    const place = placeOf(log, after);
    this.#after = place.seq;
    this.hasGap = place.hasGap;
  }

  get seq(): number {
    return this.#after;
  }

  /** Of the last event behind it; what follows is `after` it. */
  get position(): string {
    return eventId(this.#after, this.#log.epoch);
  }

  /** The next ones; none when nothing came within the time or the signal fired. */
  async next(signal: AbortSignal, timeoutMs: number): Promise<readonly GatewayEvent[]> {
    const at = await this.#read();
    if (at.length > 0 || signal.aborted || this.#log.isClosed) return at;
    await this.#more(signal, timeoutMs);
    return this.#read();
  }

  async #read(): Promise<readonly GatewayEvent[]> {
    if (this.#log.lastSeq <= this.#after || this.#log.isClosed) return [];
    const { events, through } = await this.#log.search({ ...this.#filter, after: this.#after, limit: pageSize });
    // What the filter leaves out is behind us too, and is not looked through again.
    this.#after = events.length === pageSize ? (events.at(-1)?.seq ?? through) : through;
    return events;
  }

  async #more(signal: AbortSignal, timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => resolve();
    const timer = setTimeout(done, timeoutMs).unref();
    this.#log.events.on('appended', done);
    signal.addEventListener('abort', done);
    this.#log.signal.addEventListener('abort', done);
    await promise;
    clearTimeout(timer);
    this.#log.events.off('appended', done);
    signal.removeEventListener('abort', done);
    this.#log.signal.removeEventListener('abort', done);
  }
}

function placeOf(log: EventLog, after: string | undefined): { seq: number; hasGap: boolean } {
  if (after === undefined) return { seq: log.lastSeq, hasGap: false };
  if (after === EventCursor.beginning) return { seq: log.firstSeq - 1, hasGap: false };
  const known = parseEventId(after);
  if (!known) throw new GatewayError('invalid_request', 'after and Last-Event-ID take the id of an event (EV_…).');
  const oldest = log.firstSeq - 1;
  // Another data folder, or one that was brought back from a backup: what that client knows never happened here.
  if (known.epoch !== log.epoch || known.seq > log.lastSeq) return { seq: oldest, hasGap: true };
  return known.seq < oldest ? { seq: oldest, hasGap: true } : { seq: known.seq, hasGap: false };
}
