// Owns: a copy of the store while it is in use. May import: core.
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { GatewayError } from '#core/errors.ts';

const lockTimeoutMs = 5_000;

/**
 * Of one moment, whatever is written meanwhile; a gateway that runs on the file goes on. There under its name only when it
 * is whole. The key file is not in it: kept beside it, it would open what it seals.
 * @param file of the store
 * @returns path of the copy
 * @throws GatewayError `not_found` (no store), `conflict` (there is such a file), `internal`
 */
export async function backUp(file: string, to: string): Promise<string> {
  const target = resolve(to);
  if (!existsSync(file))
    throw new GatewayError('not_found', `There is no store at ${file}; give the data folder by --data.`);
  if (existsSync(target)) throw new GatewayError('conflict', `${target} is there already; give another name.`);
  const partial = `${target}.partial`;
  mkdirSync(dirname(target), { recursive: true });
  const database = new DatabaseSync(file, { readOnly: true, timeout: lockTimeoutMs });
  try {
    await backup(database, partial);
    // It holds what the store holds: nobody else on the machine may read it.
    chmodSync(partial, 0o600);
    renameSync(partial, target);
    return target;
  } catch (cause) {
    rmSync(partial, { force: true });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('internal', `The store could not be copied: ${reason}.`, { cause });
  } finally {
    database.close();
  }
}
