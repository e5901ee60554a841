// Owns: API keys: made, listed, verified, deleted. May import: core.
import { createHash, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { Scope } from '#core/grants.ts';
import { randomText } from '#core/ids.ts';
import type { Logger } from '#core/ports.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { StoredDocument, StorePort } from '#core/store-port.ts';

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
  /** The whole key, sealed, to verify tokens that were signed with it; absent for keys of earlier versions. */
  readonly sealed?: string | undefined;
  /** The one before a rotation, good until then. */
  readonly previous?:
    | { readonly hash: string; readonly sealed?: string | undefined; readonly goodUntilMs: number }
    | undefined;
}

export interface ApiKeyEntry {
  readonly info: ApiKeyInfo;
  readonly revision: number;
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
  readonly #secrets: SecretBox;
  readonly #log: Logger;

  constructor(options: { readonly store: StorePort; readonly secrets: SecretBox; readonly log: Logger }) {
    this.#store = options.store;
    this.#secrets = options.secrets;
    this.#log = options.log;
  }

  /** @returns the key itself, which is shown this once */
  async create({ name, scopes, expiresAtMs }: ApiKeyInput): Promise<{ key: string } & ApiKeyEntry> {
    const id = randomText(12);
    const made = this.#make(id);
    const record: ApiKeyRecord = {
      ...{ id, name, scopes, createdAtMs: Date.now(), lastUsedAtMs: undefined, expiresAtMs },
      ...made.kept,
    };
    const { revision } = await this.#store.put(collection, id, record, 0);
    return { key: made.key, info: withoutHash(record), revision };
  }

  /**
   * @param change.expiresAtMs undefined: for ever
   * @throws GatewayError `not_found`, `conflict`
   */
  async update(id: string, change: Partial<ApiKeyInput>): Promise<ApiKeyEntry> {
    const { value, revision } = await this.#get(id);
    return entryOf(await this.#store.put(collection, id, { ...value, ...change }, revision));
  }

  /** A new secret under the same id; the old one stays good for so long. @throws GatewayError `not_found`, `conflict` */
  async rotate(id: string, keepOldMs: number): Promise<{ key: string } & ApiKeyEntry> {
    const { value, revision } = await this.#get(id);
    const made = this.#make(id);
    const { hash, sealed } = value;
    const previous = keepOldMs > 0 ? { hash, sealed, goodUntilMs: Date.now() + keepOldMs } : undefined;
    const stored = await this.#store.put(collection, id, { ...value, ...made.kept, previous }, revision);
    return { key: made.key, ...entryOf(stored) };
  }

  /** What tokens of this key may be signed with. @returns undefined for one that cannot sign */
  async signingKeys(id: string): Promise<{ secrets: readonly string[]; info: ApiKeyInfo } | undefined> {
    const found = await this.#store.get<ApiKeyRecord>(collection, id);
    if (!found || isExpired(found.value)) return undefined;
    await this.#noteUse(found.value, found.revision);
    const sealed = [found.value.sealed, goodPrevious(found.value)?.sealed].filter((text) => text !== undefined);
    return { secrets: sealed.map((text) => this.#secrets.open(text)), info: withoutHash(found.value) };
  }

  #make(id: string): { key: string; kept: { hash: string; sealed: string } } {
    const secret = randomText(40);
    const key = `sk_${id}_${secret}`;
    return { key, kept: { hash: sha256(secret).toString('hex'), sealed: this.#secrets.seal(key) } };
  }

  /** @throws GatewayError `not_found` */
  async #get(id: string): Promise<StoredDocument<ApiKeyRecord>> {
    const found = await this.#store.get<ApiKeyRecord>(collection, id);
    if (!found) throw new GatewayError('not_found', 'There is no such key.');
    return found;
  }

  async list(page: { after?: string; limit?: number } = {}): Promise<readonly ApiKeyInfo[]> {
    return (await this.#store.list<ApiKeyRecord>(collection, page)).map(({ value }) => withoutHash(value));
  }

  async find(id: string): Promise<ApiKeyInfo | undefined> {
    const found = await this.#store.get<ApiKeyRecord>(collection, id);
    return found && withoutHash(found.value);
  }

  /** @throws GatewayError `not_found` */
  async get(id: string): Promise<ApiKeyEntry> {
    return entryOf(await this.#get(id));
  }

  /** @throws GatewayError `not_found` */
  async delete(id: string): Promise<void> {
    if (!(await this.#store.delete(collection, id))) throw new GatewayError('not_found', 'There is no such key.');
  }

  /** @throws GatewayError `unauthorized`; unknown id, wrong secret and odd shape read the same */
  async verify(key: string): Promise<ApiKeyInfo> {
    const [, id = '', secret = ''] = keyPattern.exec(key) ?? [];
    const found = id ? await this.#store.get<ApiKeyRecord>(collection, id) : undefined;
    const given = sha256(secret);
    const isCurrent = timingSafeEqual(given, hashBytes(found?.value));
    const isPrevious = timingSafeEqual(given, hashBytes(found && goodPrevious(found.value)));
    if (!found || !(isCurrent || isPrevious)) {
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

function goodPrevious({ previous }: ApiKeyRecord): ApiKeyRecord['previous'] {
  return previous && previous.goodUntilMs > Date.now() ? previous : undefined;
}

/** For none there is, zeros: no text hashes to them. */
function hashBytes(of: { readonly hash: string } | undefined): Buffer {
  return of ? Buffer.from(of.hash, 'hex') : Buffer.alloc(32);
}

function entryOf({ value, revision }: StoredDocument<ApiKeyRecord>): ApiKeyEntry {
  return { info: withoutHash(value), revision };
}

function withoutHash({ hash: _hash, sealed: _sealed, previous: _previous, ...info }: ApiKeyRecord): ApiKeyInfo {
  return info;
}
