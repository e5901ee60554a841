// Owns: the audit log in SQLite. May import: core.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { AuditEntry, AuditQuery, AuditStorePort } from '#core/audit.ts';

export class SqliteAudit implements AuditStorePort {
  readonly #database: DatabaseSync;
  readonly #append: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#append = database.prepare('INSERT INTO audit (at, actor, action, content) VALUES (?, ?, ?, ?)');
  }

  append({ atMs, actor, action, ...content }: AuditEntry): void {
    this.#append.run(atMs, actor, action, JSON.stringify(content));
  }

  read({ after, limit, actor, action }: AuditQuery): readonly (AuditEntry & { readonly id: number })[] {
    const conditions = ['id > ?'];
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
      .prepare(`SELECT id, at, actor, action, content FROM audit WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ?`)
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
    const { changes } = this.#database
      .prepare('DELETE FROM audit WHERE at < ? OR id <= (SELECT max(id) FROM audit) - ?')
      .run(olderThanMs, keep);
    return Number(changes);
  }
}
