// Owns: which fields of which documents are secrets, and that they are sealed on the disk. May import: core.
import type { Logger } from '#core/ports.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { StoredDocument, StorePort } from '#core/store-port.ts';

/**
 * Fields that have to be read again and that a copy of the database must not tell. Whoever keeps such a field adds it
 * here and is done: it is sealed when it is written, open when it is read, and what an earlier version wrote in the clear
 * is sealed at the next start.
 */
export const secretFields: Readonly<Record<string, readonly string[]>> = {
  /** Cameras have their user and password in it. */
  'streaming-ins': ['url'],
  /** Most services that take a stream have its key in their address. */
  'streaming-outs': ['targets'],
  /** Of SRT. */
  'stream-keys': ['passphrase'],
  /** Receivers behind a secret path or a password. */
  webhooks: ['url'],
  /** Signs join tokens. */
  secrets: ['base64'],
};

type Fields = Record<string, unknown>;
interface Sealed {
  readonly sealed: string;
}

const pageSize = 500;

/** A StorePort that seals the secret fields on their way to another one. */
export function sealedStore(store: StorePort, secrets: SecretBox, log: Logger): StorePort {
  const seal = (collection: string, value: unknown) =>
    mapped(collection, value, (field) =>
      field === undefined || isSealed(field) ? field : { sealed: secrets.seal(JSON.stringify(field)) },
    );
  const open = <T>(collection: string, document: StoredDocument<T>): StoredDocument<T> => ({
    ...document,
    value: mapped(collection, document.value, (field, name) => {
      if (!isSealed(field)) return field;
      try {
        return JSON.parse(secrets.open(field.sealed));
      } catch (err) {
        // One lost key file must not take along what is no secret: the field is absent, and has to be given again.
        log.error({ err, collection, id: document.id, field: name }, 'a secret of the store cannot be read');
        return undefined;
      }
    }) as T,
  });
  return {
    async get<T>(collection: string, id: string) {
      const found = await store.get<T>(collection, id);
      return found && open(collection, found);
    },
    put: async <T>(collection: string, id: string, value: T, expectedRevision?: number) =>
      open(collection, await store.put(collection, id, seal(collection, value) as T, expectedRevision)),
    list: async <T>(collection: string, page?: { after?: string; limit?: number }) =>
      (await store.list<T>(collection, page)).map((document) => open(collection, document)),
    putAll: (collection, documents) =>
      store.putAll(
        collection,
        documents.map(({ id, value }) => ({ id, value: seal(collection, value) })),
      ),
    delete: (collection, id) => store.delete(collection, id),
    count: (collection) => store.count(collection),
    close: () => store.close(),
  };
}

/**
 * Seals what an earlier version left in the clear.
 * @param store the one without seals
 * @returns how many documents were written anew
 */
export async function sealClearFields(store: StorePort, sealing: StorePort): Promise<number> {
  let count = 0;
  for (const [collection, names] of Object.entries(secretFields)) {
    for (let after = ''; ; ) {
      const page = await store.list<Fields>(collection, { after, limit: pageSize });
      for (const { id, value, revision } of page) {
        if (!names.some((name) => value[name] !== undefined && !isSealed(value[name]))) continue;
        await sealing.put(collection, id, value, revision);
        count += 1;
      }
      const last = page.at(-1);
      if (!last) break;
      after = last.id;
    }
  }
  return count;
}

function mapped(collection: string, value: unknown, change: (field: unknown, name: string) => unknown): unknown {
  const names = secretFields[collection];
  if (!names || typeof value !== 'object' || value === null) return value;
  const fields = value as Fields;
  const changed = names.filter((name) => name in fields).map((name) => [name, change(fields[name], name)]);
  return { ...fields, ...Object.fromEntries(changed) };
}

/** Fields in the clear are texts; an object with nothing but a seal is one of ours. */
function isSealed(field: unknown): field is Sealed {
  return (
    typeof field === 'object' &&
    field !== null &&
    'sealed' in field &&
    typeof field.sealed === 'string' &&
    Object.keys(field).length === 1
  );
}
