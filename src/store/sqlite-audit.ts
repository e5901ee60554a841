// Owns: the audit log in SQLite. May import: core.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { AuditEntry, AuditQuery, AuditStorePort } from '#core/audit.ts';

/** Some milliseconds' worth of deleting. */
const prunedAtOnce = 1_000;

export class SqliteAudit implements AuditStorePort {
  readonly #database: DatabaseSync;
  readonly #append: StatementSync;
  #waiting: {
    readonly entry: AuditEntry;
    readonly resolve: () => void;
    readonly reject: (cause: unknown) => void;
  }[] = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#append = database.prepare('INSERT INTO audit (at, actor, action, content) VALUES (?, ?, ?, ?)');
  }

  append(entry: AuditEntry): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ entry, resolve, reject });
    if (this.#waiting.length === 1) setImmediate(() => this.flush());
    return promise;
  }

  /** Writes what waits in one transaction: each of its own would cost more than the request that it tells of. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    try {
      this.#write(waiting.map(({ entry }) => entry));
      for (const { resolve } of waiting) resolve();
    } catch (cause) {
      for (const { reject } of waiting) reject(cause);
    }
  }

  #write(entries: readonly AuditEntry[]): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const { atMs, actor, action, ...content } of entries) {
        this.#append.run(atMs, actor, action, JSON.stringify(content));
      }
      this.#database.exec('COMMIT');
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw cause;
    }
  }

  read({ after, limit, actor, action, order }: AuditQuery): readonly (AuditEntry & { readonly id: number })[] {
    this.flush();
    const isBackwards = order === 'newest';
    const conditions = [isBackwards ? 'id < ?' : 'id > ?'];
    const values: SQLInputValue[] = [after];
    for (const [column, value] of [
      ['actor', actor],
      ['action', action],
    ] as const) {
      if (value === undefined) continue;
      conditions.push(`${column} = ?`);
      values.push(value);
    }
    return this.#database
      .prepare(
        `SELECT id, at, actor, action, content FROM audit WHERE ${conditions.join(' AND ')}
         ORDER BY id ${isBackwards ? 'DESC' : 'ASC'} LIMIT ?`,
      )
      .all(...values, limit)
      .map((row) => ({
        ...(JSON.parse(String(row.content)) as Pick<
          AuditEntry,
          'name' | 'target' | 'status' | 'address' | 'requestId'
        >),
        id: Number(row.id),
        atMs: Number(row.at),
        actor: String(row.actor),
        action: String(row.action),
      }));
  }

  prune(olderThanMs: number, keep: number): number {
    this.flush();
    const { changes } = this.#database
      .prepare(
        `DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?)
         AND (at < ? OR id <= (SELECT max(id) FROM audit) - ?)`,
      )
      .run(prunedAtOnce, olderThanMs, keep);
    return Number(changes);
  }
}
