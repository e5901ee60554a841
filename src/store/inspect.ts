// Owns: looking at a store without changing it. May import: ./migrations.
import { DatabaseSync } from 'node:sqlite';
import { migrations } from './migrations.ts';

export interface StoreInspection {
  /** What is wrong with it; undefined for a sound one. */
  readonly flaw?: string | undefined;
  readonly version?: number | undefined;
  /** When the newest document was written, epoch milliseconds. */
  readonly newest?: number | undefined;
  /** Nothing was ever written to it. */
  readonly isEmpty?: boolean | undefined;
  readonly isOlder?: boolean | undefined;
  readonly isNewer?: boolean | undefined;
}

const lockTimeoutMs = 2_000;

/** Reads all of its pages; a gateway may have it open meanwhile. */
export function inspectStore(file: string): StoreInspection {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: lockTimeoutMs });
    const [result] = database.prepare('PRAGMA quick_check(1)').all().flatMap(Object.values);
    if (result !== 'ok') return { flaw: String(result) };
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    const isNewer = version > migrations.length;
    const isEmpty = database.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined;
    if (version === 0 && !isEmpty) return { flaw: 'another program has its tables in it' };
    // Made and never written to, by a first start that was cut off or by `touch`: there is no table yet.
    const hasTables = !isEmpty && !isNewer;
    const newest = !hasTables ? undefined : database.prepare('SELECT max(updated_at) AS at FROM documents').get()?.at;
    return {
      version,
      isNewer,
      isEmpty,
      isOlder: version < migrations.length,
      newest: newest == null ? undefined : Number(newest),
    };
  } catch (thrown) {
    return { flaw: thrown instanceof Error ? thrown.message : String(thrown) };
  } finally {
    database?.close();
  }
}
