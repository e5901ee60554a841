// Owns: StorePort over SQLite in one file of the data folder. May import: core, config, ./database.
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { StoredDocument, StorePort } from '#core/store-port.ts';
import { openDatabase } from './database.ts';

/** What one page of list() holds unless it says. */
const defaultPageSize = 1_000;
const scrubLockTimeoutMs = 5_000;

type Row = Record<string, SQLOutputValue>;

/**
 * Crash-safe: what has been answered is on the disk even after a power cut; a revoked key must not come back. It costs one
 * fsync per write, and writes are what people do, not media.
 *
 * @param file path, or `:memory:`
 * @throws GatewayError `conflict` when the file is of a newer version, is no database or cannot be opened
 */
export function openSqliteStore(file: string, log: Logger): StorePort {
  return new SqliteStore(openDatabase(file, 'power_cut', log));
}

/** What was deleted or replaced leaves the file too, and not only its index. For a moment when little is going on. */
export function scrubDatabase(file: string): void {
  const database = new DatabaseSync(file, { timeout: scrubLockTimeoutMs });
  try {
    database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE);');
  } finally {
    database.close();
  }
}

class SqliteStore implements StorePort {
  readonly #database: DatabaseSync;
  readonly #read: StatementSync;
  readonly #insert: StatementSync;
  readonly #replace: StatementSync;
  readonly #upsert: StatementSync;
  /** For many at once, of which nobody wants to hear. */
  readonly #upsertSilently: StatementSync;
  readonly #remove: StatementSync;
  readonly #page: StatementSync;
  readonly #count: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const returning = 'RETURNING id, revision, value, updated_at';
    this.#read = database.prepare(
      'SELECT id, revision, value, updated_at FROM documents WHERE collection = ? AND id = ?',
    );
    this.#insert = database.prepare(
      `INSERT INTO documents (collection, id, revision, value, updated_at) VALUES (?, ?, 1, ?, ?)
       ON CONFLICT DO NOTHING ${returning}`,
    );
    this.#replace = database.prepare(
      `UPDATE documents SET revision = revision + 1, value = ?, updated_at = ?
       WHERE collection = ? AND id = ? AND revision = ? ${returning}`,
    );
    const upsert = `INSERT INTO documents (collection, id, revision, value, updated_at) VALUES (?, ?, 1, ?, ?)
       ON CONFLICT DO UPDATE SET revision = revision + 1, value = excluded.value, updated_at = excluded.updated_at`;
    this.#upsert = database.prepare(`${upsert} ${returning}`);
    this.#upsertSilently = database.prepare(upsert);
    this.#remove = database.prepare('DELETE FROM documents WHERE collection = ? AND id = ?');
    this.#page = database.prepare(
      'SELECT id, revision, value, updated_at FROM documents WHERE collection = ? AND id > ? ORDER BY id LIMIT ?',
    );
    this.#count = database.prepare('SELECT count(*) AS documents FROM documents WHERE collection = ?');
  }

  async get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    this.#assertOpen();
    const row = this.#read.get(collection, id);
    return row && document<T>(row);
  }

  async put<T>(collection: string, id: string, value: T, expectedRevision?: number): Promise<StoredDocument<T>> {
    this.#assertOpen();
    const row = this.#write(collection, id, textOf(value), expectedRevision);
    if (!row) throw new GatewayError('conflict', 'Somebody else has changed it in the meantime; read it again.');
    return document<T>(row);
  }

  async putAll(collection: string, documents: readonly { id: string; value: unknown }[]): Promise<void> {
    this.#assertOpen();
    const texts = documents.map(({ id, value }) => ({ id, text: textOf(value) }));
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const now = Date.now();
      for (const { id, text } of texts) this.#upsertSilently.run(collection, id, text, now);
      this.#database.exec('COMMIT');
    } catch (thrown) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw thrown;
    }
  }

  #write(collection: string, id: string, json: string, expectedRevision: number | undefined): Row | undefined {
    const now = Date.now();
    if (expectedRevision === undefined) return this.#upsert.get(collection, id, json, now);
    if (expectedRevision === 0) return this.#insert.get(collection, id, json, now);
    return this.#replace.get(json, now, collection, id, expectedRevision);
  }

  async delete(collection: string, id: string): Promise<boolean> {
    this.#assertOpen();
    return Number(this.#remove.run(collection, id).changes) > 0;
  }

  async list<T>(
    collection: string,
    page: { after?: string; limit?: number } = {},
  ): Promise<readonly StoredDocument<T>[]> {
    this.#assertOpen();
    return this.#page
      .all(collection, page.after ?? '', Math.max(0, Math.floor(page.limit ?? defaultPageSize)))
      .map((row) => document<T>(row));
  }

  async count(collection: string): Promise<number> {
    this.#assertOpen();
    return Number(this.#count.get(collection)?.documents);
  }

  /** Folds the write-ahead log into the file. Closing twice is fine. */
  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  #assertOpen(): void {
    if (!this.#database.isOpen) throw new GatewayError('closed', 'The store has closed.');
  }
}

function textOf(value: unknown): string {
  const json = JSON.stringify(value);
  if (json === undefined) throw new GatewayError('invalid_request', 'A document needs a value that JSON can carry.');
  return json;
}

function document<T>(row: Row): StoredDocument<T> {
  return {
    id: String(row.id),
    value: JSON.parse(String(row.value)) as T,
    revision: Number(row.revision),
    updatedAtMs: Number(row.updated_at),
  };
}
