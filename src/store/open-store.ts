// Owns: the store of a data folder, with its secrets sealed. May import: core, ./…
import { join } from 'node:path';
import type { Logger } from '#core/ports.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { StorePort } from '#core/store-port.ts';
import { sealClearFields, sealedStore } from './sealed-store.ts';
import { openSecretBox } from './secret-box.ts';
import { openSqliteStore, scrubDatabase } from './sqlite.ts';

/** Names in the data folder. */
export const databaseName = 'switchyard.db';
export const keyFileName = 'secrets.key';

/**
 * Makes both files at first. What an earlier version kept in the clear is sealed now, and no byte of it stays in the file.
 * @throws GatewayError `conflict` for a store or a key file that cannot be opened
 */
export async function openStore(dataFolder: string, log: Logger): Promise<{ store: StorePort; secrets: SecretBox }> {
  const file = join(dataFolder, databaseName);
  const plain = openSqliteStore(file, log);
  try {
    const secrets = openSecretBox(join(dataFolder, keyFileName));
    const store = sealedStore(plain, secrets, log);
    const count = await sealClearFields(plain, store);
    if (count > 0) {
      scrubDatabase(file);
      log.info({ count }, 'secrets in the store sealed');
    }
    return { store, secrets };
  } catch (thrown) {
    await plain.close();
    throw thrown;
  }
}
