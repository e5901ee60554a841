// Owns: what webhooks are still to be told, and what they were told, in SQLite. May import: core, ./sqlite-events.
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Delivery, DeliveryOutcome, DeliveryQuery, DeliveryState, DeliveryStorePort } from '#core/webhook.ts';
import { eventOfRow } from './sqlite-events.ts';

const columns = `d.id, d.webhook, d.lane, d.state, d.attempts, d.created_at, d.updated_at, d.status, d.error, d.is_replay,
  e.seq, e.type, e.at, e.content`;
const joined = `SELECT ${columns} FROM deliveries d JOIN events e ON e.seq = d.seq`;

/** Some milliseconds' worth of deleting. */
const deletedAtOnce = 1_000;

export class SqliteDeliveries implements DeliveryStorePort {
  readonly #database: DatabaseSync;
  readonly #epoch: string;
  /** Of each attempt: a receiver that is away has one for each room again and again. */
  readonly #next: StatementSync;
  readonly #note: StatementSync;

  constructor(database: DatabaseSync, epoch: string) {
    this.#database = database;
    this.#epoch = epoch;
    this.#next = database.prepare(
      `${joined} WHERE d.webhook = ? AND d.lane = ? AND d.state = 'pending' ORDER BY d.id LIMIT 1`,
    );
    this.#note = database.prepare(
      'UPDATE deliveries SET state = ?, attempts = ?, status = ?, error = ?, updated_at = ? WHERE id = ?',
    );
  }

  pendingLanes(webhookId: string): readonly string[] {
    return this.#database
      .prepare(`SELECT DISTINCT lane FROM deliveries WHERE webhook = ? AND state = 'pending'`)
      .all(webhookId)
      .map(({ lane }) => String(lane));
  }

  pendingCount(webhookId: string): number {
    const row = this.#database
      .prepare(`SELECT count(*) AS waiting FROM deliveries WHERE webhook = ? AND state = 'pending'`)
      .get(webhookId);
    return Number(row?.waiting);
  }

  next(webhookId: string, lane: string): Delivery | undefined {
    const row = this.#next.get(webhookId, lane);
    return row && this.#delivery(row);
  }

  note(id: number, { state, attempts, status, error }: DeliveryOutcome): void {
    this.#note.run(state, attempts, status ?? null, error ?? null, Date.now(), id);
  }

  find(webhookId: string, id: number): Delivery | undefined {
    const row = this.#database.prepare(`${joined} WHERE d.webhook = ? AND d.id = ?`).get(webhookId, id);
    return row && this.#delivery(row);
  }

  list(webhookId: string, { after, limit, state }: DeliveryQuery): readonly Delivery[] {
    const condition = state === undefined ? '' : 'AND d.state = ?';
    const values: SQLInputValue[] = [webhookId, after, ...(state === undefined ? [] : [state]), limit];
    return this.#database
      .prepare(`${joined} WHERE d.webhook = ? AND d.id > ? ${condition} ORDER BY d.id LIMIT ?`)
      .all(...values)
      .map((row) => this.#delivery(row));
  }

  replay(webhookId: string, seq: number, lane: string): Delivery | undefined {
    const now = Date.now();
    const { changes, lastInsertRowid } = this.#database
      .prepare(
        `INSERT INTO deliveries (webhook, lane, seq, state, attempts, created_at, updated_at, is_replay)
         SELECT ?, ?, seq, 'pending', 0, ?, ?, 1 FROM events WHERE seq = ?`,
      )
      .run(webhookId, lane, now, now, seq);
    return changes ? this.find(webhookId, Number(lastInsertRowid)) : undefined;
  }

  forget(webhookId: string): boolean {
    const { changes } = this.#database
      .prepare('DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE webhook = ? ORDER BY id LIMIT ?)')
      .run(webhookId, deletedAtOnce);
    return Number(changes) === deletedAtOnce;
  }

  prune(olderThanMs: number, after: number): number | undefined {
    const part = this.#database
      .prepare('SELECT id FROM deliveries WHERE id > ? ORDER BY id LIMIT ?')
      .all(after, deletedAtOnce);
    const last = Number(part.at(-1)?.id ?? after);
    this.#database
      .prepare(
        `DELETE FROM deliveries WHERE id > ? AND id <= ? AND state <> 'pending'
         AND (updated_at < ? OR NOT EXISTS (SELECT 1 FROM events WHERE events.seq = deliveries.seq))`,
      )
      .run(after, last, olderThanMs);
    return part.length < deletedAtOnce ? undefined : last;
  }

  #delivery(row: Record<string, SQLOutputValue>): Delivery {
    return {
      id: Number(row.id),
      webhookId: String(row.webhook),
      lane: String(row.lane),
      event: eventOfRow(row, this.#epoch),
      state: String(row.state) as DeliveryState,
      attempts: Number(row.attempts),
      createdAtMs: Number(row.created_at),
      updatedAtMs: Number(row.updated_at),
      status: row.status === null ? undefined : Number(row.status),
      error: row.error === null ? undefined : String(row.error),
      isReplay: row.is_replay === 1,
    };
  }
}
