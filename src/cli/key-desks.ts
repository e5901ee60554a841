// Owns: API keys by a running gateway, and by the store alone. May import: #api/api-keys, #client, #core, #store.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiKeyInfo, ApiKeys } from '#api/api-keys.ts';
import { type Client, itemsOf, type Key } from '#client/index.mjs';
import { GatewayError } from '#core/errors.ts';
import type { Scope } from '#core/grants.ts';
import type { Logger } from '#core/ports.ts';
import { databaseName, openStore } from '#store/open-store.ts';
import type { KeyDesk, KeyRow } from './command.ts';

/** @param client of the running gateway, which has to be asked with a key itself */
export function gatewayKeys(client: Client): KeyDesk {
  return {
    list: () => Array.fromAsync(itemsOf(client.listKeys, { query: { limit: 500 } })),
    create: ({ name, scopes, expiresAt }) =>
      // The scopes were held against the list that the API has.
      client.createKey({
        body: { name, scopes: scopes as Key['scopes'], ...(expiresAt !== undefined && { expiresAt }) },
      }),
    rotate: (key, keepOldMs) => client.rotateKey({ key, body: { keepOldMs } }),
    revoke: async (key) => {
      await client.deleteKey({ key });
    },
  };
}

/**
 * Whoever may read the data folder may do this; it is how somebody who has lost every key comes in again. A gateway that
 * runs on it sees the change at the next request.
 * @throws GatewayError `not_found` (no store there; each of its functions)
 */
export function storeKeys(dataFolder: string, log: Logger): KeyDesk {
  const work = async <T>(act: (keys: ApiKeys) => Promise<T>): Promise<T> => {
    // Opening would make one, and a key in it would let nobody in anywhere.
    if (!existsSync(join(dataFolder, databaseName))) {
      throw new GatewayError('not_found', `There is no store in ${dataFolder}; name the data folder by --data.`);
    }
    const { store, secrets } = await openStore(dataFolder, log);
    try {
      return await act(new ApiKeys({ store, secrets, log }));
    } finally {
      await store.close();
    }
  };
  return {
    list: () => work(async (keys) => (await keys.list({ limit: Number.MAX_SAFE_INTEGER })).map(rowOf)),
    create: ({ name, scopes, expiresAt }) =>
      work(async (keys) => {
        const expiresAtMs = expiresAt === undefined ? undefined : Date.parse(expiresAt);
        const { key, info } = await keys.create({ name, scopes: scopes as Scope[], expiresAtMs });
        return { ...rowOf(info), key };
      }),
    rotate: (id, keepOldMs) =>
      work(async (keys) => {
        const { key, info } = await keys.rotate(id, keepOldMs);
        return { ...rowOf(info), key };
      }),
    revoke: (id) => work((keys) => keys.delete(id)),
  };
}

const timeText = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());

function rowOf({ id, name, scopes, createdAtMs, lastUsedAtMs, expiresAtMs }: ApiKeyInfo): KeyRow {
  return {
    ...{ id, name, scopes, createdAt: new Date(createdAtMs).toISOString() },
    ...{ lastUsedAt: timeText(lastUsedAtMs), expiresAt: timeText(expiresAtMs) },
  };
}
