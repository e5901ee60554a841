// Owns: the event log in SQLite. May import: core.
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { EventStorePort, NewDelivery } from '#core/event-log.ts';
import { type EventQuery, type EventType, eventId, type GatewayEvent, typesOf } from '#core/gateway-events.ts';
import { randomText } from '#core/ids.ts';

const epochLength = 6;
/** Some milliseconds' worth of deleting. */
const prunedAtOnce = 500;

/** Shares its connection with the deliveries, so that an event and who is to be told of it are one transaction. */
export class SqliteEvents implements EventStorePort {
  readonly epoch: string;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #enqueue: StatementSync;
  #lastSeq: number;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database
      .prepare(`INSERT INTO meta (name, value) VALUES ('epoch', ?) ON CONFLICT DO NOTHING`)
      .run(randomText(epochLength));
    this.epoch = String(database.prepare(`SELECT value FROM meta WHERE name = 'epoch'`).get()?.value);
    // Not the highest that is there: after all were deleted for their age the numbers still go on.
    const used = database.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).get();
    this.#lastSeq = Number(used?.seq ?? 0);
    this.#insert = database.prepare('INSERT INTO events (seq, type, at, room, content) VALUES (?, ?, ?, ?, ?)');
    this.#enqueue = database.prepare(
      `INSERT INTO deliveries (webhook, lane, seq, state, attempts, created_at, updated_at, is_replay)
       VALUES (?, ?, ?, 'pending', 0, ?, ?, 0)`,
    );
  }

  get firstSeq(): number {
    return Number(this.#database.prepare('SELECT min(seq) AS seq FROM events').get()?.seq ?? this.#lastSeq + 1);
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  append(events: readonly GatewayEvent[], deliveries: readonly NewDelivery[]): void {
    const now = Date.now();
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const { seq, type, atMs, room, data } of events) {
        this.#insert.run(seq, type, atMs, room?.id ?? null, JSON.stringify({ room, data }));
      }
      for (const { webhookId, lane, seq } of deliveries) this.#enqueue.run(webhookId, lane, seq, now, now);
      this.#database.exec('COMMIT');
    } catch (thrown) {
      this.#database.exec('ROLLBACK');
      throw thrown;
    }
    this.#lastSeq = events.at(-1)?.seq ?? this.#lastSeq;
  }

  read({ after, until, limit, types, roomId, order }: EventQuery): readonly GatewayEvent[] {
    const isBackwards = order === 'newest';
    const wanted = typesOf(types);
    const conditions = [isBackwards ? 'seq < ?' : 'seq > ?'];
    const values: SQLInputValue[] = [after];
    if (until !== undefined) {
      conditions.push(isBackwards ? 'seq >= ?' : 'seq <= ?');
      values.push(until);
    }
    if (roomId !== undefined) {
      conditions.push('room = ?');
      values.push(roomId);
    }
    if (wanted) {
      conditions.push(`type IN (${wanted.map(() => '?').join(', ')})`);
      values.push(...wanted);
    }
    return this.#database
      .prepare(
        `SELECT seq, type, at, content FROM events WHERE ${conditions.join(' AND ')}
         ORDER BY seq ${isBackwards ? 'DESC' : 'ASC'} LIMIT ?`,
      )
      .all(...values, limit)
      .map((row) => eventOfRow(row, this.epoch));
  }

  prune(olderThanMs: number, keep: number, after: number): number | undefined {
    const lastToGo = this.#lastSeq - keep;
    const part = this.#database
      .prepare('SELECT seq, at FROM events WHERE seq > ? ORDER BY seq LIMIT ?')
      .all(after, prunedAtOnce);
    const last = Number(part.at(-1)?.seq ?? after);
    // They are in the order of time, but for a clock that was put right.
    if (!part.some(({ seq, at }) => Number(at) < olderThanMs || Number(seq) <= lastToGo)) return undefined;
    this.#database
      .prepare(
        `DELETE FROM events WHERE seq > ? AND seq <= ? AND (at < ? OR seq <= ?)
         AND seq NOT IN (SELECT seq FROM deliveries WHERE state = 'pending' AND seq > ? AND seq <= ?)`,
      )
      .run(after, last, olderThanMs, lastToGo, after, last);
    return part.length < prunedAtOnce ? undefined : last;
  }
}

/** @param row with seq, type, at and content */
export function eventOfRow(row: Record<string, SQLOutputValue>, epoch: string): GatewayEvent {
  const { room, data } = JSON.parse(String(row.content)) as Pick<GatewayEvent, 'room' | 'data'>;
  const seq = Number(row.seq);
  return { seq, id: eventId(seq, epoch), type: String(row.type) as EventType, atMs: Number(row.at), room, data };
}
