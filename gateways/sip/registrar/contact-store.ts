// Owns: the phones of accounts across restarts. May import: core.
import type { SipAccounts } from '#core/sip-accounts.ts';
import type { StorePort } from '#core/store-port.ts';
import type { Binding, ContactBook } from './contact-book.ts';

const collection = 'sip-contacts';
const pageLength = 500;

export class ContactStore {
  readonly #store: StorePort;
  /** One write of an account after the other. */
  readonly #writes = new Map<string, Promise<unknown>>();

  constructor(store: StorePort) {
    this.#store = store;
  }

  /** Those whose time is not over, of accounts that are there and enabled. */
  async load(book: ContactBook, accounts: Pick<SipAccounts, 'find'>): Promise<void> {
    for (let after = ''; ; ) {
      const page = await this.#store.list<{ bindings: readonly Binding[] }>(collection, { after, limit: pageLength });
      for (const { id, value } of page) {
        const account = accounts.find(id);
        const bindings = value.bindings.flatMap(afterRestart);
        if (account?.isEnabled && bindings.length > 0) book.restore(account, bindings);
      }
      after = page.at(-1)?.id ?? after;
      if (page.length < pageLength) return;
    }
  }

  /** As the account stands now; never rejects. @param onFailure what keeps it from being there after a restart */
  keep(accountId: string, bindings: readonly Binding[], onFailure: (error: unknown) => void): void {
    const write = async () => {
      if (bindings.length > 0) await this.#store.put(collection, accountId, { bindings });
      else await this.#store.delete(collection, accountId);
    };
    const written = (this.#writes.get(accountId) ?? Promise.resolve()).then(write).catch(onFailure);
    this.#writes.set(accountId, written);
    void written.then(() => {
      if (this.#writes.get(accountId) === written) this.#writes.delete(accountId);
    });
  }

  /** Before the store goes. */
  async settled(): Promise<void> {
    await Promise.all(this.#writes.values());
  }
}

/** A WebSocket is gone with its server. Behind NAT only the address that the phone registered from leads to it. */
function afterRestart(binding: Binding): Binding[] {
  const { uri, source, path } = binding;
  const [protocol = '', place = ''] = source.split('/');
  if (/^wss?$/.test(protocol)) return [];
  const isThere = uri
    .replace(/^sips?:(?:[^@]*@)?/i, '')
    .toLowerCase()
    .startsWith(place.replace(/:\d+$/, ''));
  return [protocol === 'udp' && path === undefined && !isThere ? { ...binding, path: `sip:${place}` } : binding];
}
