// Owns: the accounts of phones that the API keeps, their passwords sealed. May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import { randomText } from './ids.ts';
import type { SecretBox } from './secret-box.ts';
import type { AccountInput, AccountRecord } from './sip-account.ts';
import type { StorePort } from './store-port.ts';

const collection = 'sip-accounts';
const maxAccounts = 20_000;
const pageLength = 500;
const defaultMaxContacts = 4;

export class SipAccounts {
  readonly events = new EventEmitter<{ changed: [account: AccountRecord]; deleted: [account: AccountRecord] }>();
  readonly #store: StorePort;
  readonly #secrets: SecretBox;
  readonly #byName = new Map<string, AccountRecord>();
  readonly #byId = new Map<string, AccountRecord>();

  static async create({ store, secrets }: { store: StorePort; secrets: SecretBox }): Promise<SipAccounts> {
    const accounts = new SipAccounts(store, secrets);
    for (let after = ''; ; ) {
      const page = await store.list<AccountRecord>(collection, { after, limit: pageLength });
      for (const { value } of page) accounts.#keep(value);
      after = page.at(-1)?.id ?? after;
      if (page.length < pageLength) return accounts;
    }
  }

  private constructor(store: StorePort, secrets: SecretBox) {
    this.#store = store;
    this.#secrets = secrets;
  }

  /** By id. */
  get all(): readonly AccountRecord[] {
    return [...this.#byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** By id or name. @throws GatewayError `not_found` */
  get(idOrName: string): AccountRecord {
    const found = this.find(idOrName);
    if (!found) throw new GatewayError('not_found', `There is no account "${idOrName.slice(0, 64)}".`);
    return found;
  }

  find(idOrName: string): AccountRecord | undefined {
    return this.#byId.get(idOrName) ?? this.#byName.get(idOrName.toLowerCase());
  }

  /** @returns undefined for who is unknown or disabled, and where the key that sealed it is gone */
  passwordOf(username: string): string | undefined {
    const account = this.#byName.get(username.toLowerCase());
    if (!account?.isEnabled) return undefined;
    try {
      return this.#secrets.open(account.sealedPassword);
    } catch {
      return undefined;
    }
  }

  /** @throws GatewayError `invalid_request` (no password), `conflict` (name), `limit_reached` */
  async create(input: AccountInput): Promise<AccountRecord> {
    if (this.#byId.size >= maxAccounts) {
      throw new GatewayError('limit_reached', `There are ${maxAccounts} accounts already.`);
    }
    return this.#write(`SA_${randomText(12)}`, input, undefined);
  }

  /** Replaces it; a password that is left out stays. @throws GatewayError `not_found`, `conflict` */
  async replace(id: string, input: AccountInput): Promise<AccountRecord> {
    const before = this.get(id);
    return this.#write(before.id, input, before);
  }

  /** @throws GatewayError `not_found` */
  async delete(id: string): Promise<void> {
    const gone = this.get(id);
    await this.#store.delete(collection, gone.id);
    this.#forget(gone);
    this.events.emit('deleted', gone);
  }

  async #write(id: string, input: AccountInput, before: AccountRecord | undefined): Promise<AccountRecord> {
    const { username, displayName, isEnabled = true, maxContacts = defaultMaxContacts, password } = input;
    const sealedPassword = password === undefined ? before?.sealedPassword : this.#secrets.seal(password);
    if (sealedPassword === undefined) {
      const message = 'is needed for a new account';
      throw new GatewayError('invalid_request', `"password": ${message}.`, { fields: [{ path: 'password', message }] });
    }
    const other = this.#byName.get(username.toLowerCase());
    if (other && other.id !== id) throw new GatewayError('conflict', `There is an account "${username}" already.`);
    const createdAtMs = before?.createdAtMs ?? Date.now();
    const account = { id, username, displayName, isEnabled, maxContacts, sealedPassword, createdAtMs };
    await this.#store.put(collection, id, account, before ? undefined : 0);
    if (before) this.#forget(before);
    this.#keep(account);
    this.events.emit('changed', account);
    return account;
  }

  #keep(account: AccountRecord): void {
    this.#byId.set(account.id, account);
    this.#byName.set(account.username.toLowerCase(), account);
  }

  #forget({ id, username }: AccountRecord): void {
    this.#byId.delete(id);
    this.#byName.delete(username.toLowerCase());
  }
}
