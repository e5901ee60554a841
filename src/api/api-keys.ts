// Owns: API keys: made, listed, verified, deleted. May import: core.
import { createHash, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { Scope } from '#core/grants.ts';
import { randomText } from '#core/ids.ts';
import type { Logger, StorePort } from '#core/ports.ts';

export interface ApiKeyInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number | undefined;
  readonly expiresAtMs: number | undefined;
}

interface ApiKeyRecord extends ApiKeyInfo {
  /** SHA-256 of the secret in hex. Its 230 random bits need no slow hash: there is nothing to guess. */
  readonly hash: string;
}

export interface ApiKeyInput {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs?: number | undefined;
}

const collection = 'api-keys';
const keyPattern = /^sk_([A-Za-z0-9]{12})_([A-Za-z0-9]{40})$/;
/** Use is noted this often at the most, so that a busy key does not write to the disk at every request. */
const usedResolutionMs = 60_000;

export class ApiKeys {
  readonly #store: StorePort;
  readonly #log: Logger;

  constructor(store: StorePort, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** @returns the key itself, which is kept nowhere and shown this once */
  async create(input: ApiKeyInput): Promise<{ key: string; info: ApiKeyInfo }> {
    const id = randomText(12);
    const secret = randomText(40);
    const record: ApiKeyRecord = {
      id,
      name: input.name,
      scopes: input.scopes,
      createdAtMs: Date.now(),
      lastUsedAtMs: undefined,
      expiresAtMs: input.expiresAtMs,
      hash: sha256(secret).toString('hex'),
    };
    await this.#store.put(collection, id, record, 0);
    return { key: `sk_${id}_${secret}`, info: withoutHash(record) };
  }

  async list(page: { after?: string; limit?: number } = {}): Promise<readonly ApiKeyInfo[]> {
    return (await this.#store.list<ApiKeyRecord>(collection, page)).map(({ value }) => withoutHash(value));
  }

  async find(id: string): Promise<ApiKeyInfo | undefined> {
    const found = await this.#store.get<ApiKeyRecord>(collection, id);
    return found && withoutHash(found.value);
  }

  /** @throws GatewayError `not_found` */
  async delete(id: string): Promise<void> {
    if (!(await this.#store.delete(collection, id))) throw new GatewayError('not_found', 'There is no such key.');
  }

  /** @throws GatewayError `unauthorized`; unknown id, wrong secret and odd shape read the same */
  async verify(key: string): Promise<ApiKeyInfo> {
    const [, id = '', secret = ''] = keyPattern.exec(key) ?? [];
    const found = id ? await this.#store.get<ApiKeyRecord>(collection, id) : undefined;
    const expected = found ? Buffer.from(found.value.hash, 'hex') : Buffer.alloc(32);
    if (!timingSafeEqual(sha256(secret), expected) || !found) {
      throw new GatewayError('unauthorized', 'This API key is not known here.');
    }
    if (isExpired(found.value)) throw new GatewayError('unauthorized', 'This API key has expired.');
    await this.#noteUse(found.value, found.revision);
    return withoutHash(found.value);
  }

  async #noteUse(record: ApiKeyRecord, revision: number): Promise<void> {
    const now = Date.now();
    if (now - (record.lastUsedAtMs ?? 0) < usedResolutionMs) return;
    try {
      // By revision: a key that is deleted in this moment must not come back.
      await this.#store.put(collection, record.id, { ...record, lastUsedAtMs: now }, revision);
    } catch (cause) {
      // Somebody else has noted it, or deleted the key.
      this.#log.debug({ keyId: record.id, err: cause }, 'use of an API key not noted');
    }
  }
}

export function isExpired({ expiresAtMs }: Pick<ApiKeyInfo, 'expiresAtMs'>): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= Date.now();
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function withoutHash({ hash: _hash, ...info }: ApiKeyRecord): ApiKeyInfo {
  return info;
}
