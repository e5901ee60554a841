// Owns: opening the embedded database and bringing it up to date. May import: core, ./migrations.
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import { migrations } from './migrations.ts';

/** Another program that holds the file (a backup, a second instance) is waited for so long. */
const lockTimeoutMs = 5_000;

/**
 * Of a new database; one that is there stays as it is. Events and records of calls are of a thousand bytes: three to a page of
 * the usual 4 KiB, and half of the work is in pages.
 */
const pageBytes = 8_192;

/**
 * What survives: `power_cut` writes through to the disk before it answers (measured 0.2 ms median, 0.4 ms p99 a write);
 * `kill` survives any end of this process but may lose its last moments with the machine (0.03 ms).
 */
export type Durability = 'power_cut' | 'kill';

/**
 * Opens the database, makes it at first, and brings an older one up to date.
 * @param file path, or `:memory:`
 * @throws GatewayError `conflict` when the file is of a newer version, is no database or cannot be opened
 */
export function openDatabase(file: string, durability: Durability, log: Logger): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // The folder and the file hold key hashes and the signing secret: nobody else on the machine may read them.
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    database = new DatabaseSync(file, { timeout: lockTimeoutMs });
    if (file !== ':memory:') chmodSync(file, 0o600);
    const synchronous = durability === 'power_cut' ? 'FULL' : 'NORMAL';
    database.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};`);
    migrate(database, file, log);
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof GatewayError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('conflict', `The store ${file} cannot be opened: ${reason}.`, { cause });
  }
}

function migrate(database: DatabaseSync, file: string, log: Logger): void {
  // IMMEDIATE takes the write lock before the version is read, so that two starts at once do not both migrate.
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    if (version > migrations.length) {
      throw new GatewayError(
        'conflict',
        `The store ${file} is of version ${version}; this program knows up to ${migrations.length}. Use a newer program or another data folder.`,
      );
    }
    for (const step of migrations.slice(version)) database.exec(step);
    if (version < migrations.length) {
      database.exec(`PRAGMA user_version = ${migrations.length}`);
      log.info({ file, from: version, to: migrations.length }, 'store migrated');
    }
    database.exec('COMMIT');
  } catch (thrown) {
    database.exec('ROLLBACK');
    throw thrown;
  }
}
