// What is on the disk is looked at as bytes: database, write-ahead log and whatever else lies in the data folder.
import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, test } from 'vitest';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { storeConformance } from '#test/support/store-conformance.ts';
import { databaseName, keyFileName, openStore } from './open-store.ts';
import { secretFields } from './sealed-store.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-sealed-'));
  folders.push(folder);
  return folder;
}

/** Files of the folder that hold the text. */
const filesWith = (folder: string, text: string) =>
  readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(text));

storeConformance('SQLite with sealed fields', {
  open: async () => (await openStore(newFolder(), new KeepingLog())).store,
});

test('a secret field is read as it was written, and no file of the data folder holds it, running or closed', async () => {
  const folder = newFolder();
  const { store } = await openStore(folder, new KeepingLog());
  for (const [collection, names] of Object.entries(secretFields)) {
    const fields = Object.fromEntries(names.map((name) => [name, `plain-${collection}-${name}`]));
    const document = { ...fields, name: `shown-${collection}` };
    await store.put(collection, 'one', document, 0);
    assert.deepEqual((await store.get(collection, 'one'))?.value, document);
    assert.deepEqual(
      (await store.list(collection)).map(({ value }) => value),
      [document],
    );
    await store.put(collection, 'one', { ...document, name: `again-${collection}` });
    await store.putAll(collection, [{ id: 'two', value: document }]);
    assert.deepEqual((await store.get(collection, 'two'))?.value, document);
    await store.delete(collection, 'two');
  }
  assert.deepEqual(filesWith(folder, 'plain-'), []);
  // The search finds what is there: names are no secrets.
  assert.notDeepEqual(filesWith(folder, 'again-streaming-ins'), []);
  await store.close();
  assert.deepEqual(filesWith(folder, 'plain-'), []);
  assert.deepEqual(filesWith(folder, 'again-streaming-ins'), [databaseName]);
});

test('a store that was kept in the clear is sealed at the next start, and no byte of it is left in the file', async () => {
  const folder = newFolder();
  const raw = new DatabaseSync(join(folder, databaseName));
  raw.exec(readFileSync(new URL('../../test/fixtures/store/version-1.sql', import.meta.url), 'utf8'));
  // A row that was replaced before leaves its bytes in a free page, too.
  raw.exec(
    "UPDATE documents SET value = replace(value, 'camera.example', 'c.example') WHERE collection = 'streaming-ins'",
  );
  raw.close();
  const plain = ['viewer:secret@', 'QhT5Oh//2UX5N3uTpzKegwAPhUk7cvhwAn'];
  for (const text of plain) assert.deepEqual(filesWith(folder, text), [databaseName]);

  const log = new KeepingLog();
  const { store } = await openStore(folder, log);
  for (const text of plain) assert.deepEqual(filesWith(folder, text), []);
  const camera = await store.get<{ url: string; name: string }>('streaming-ins', 'IN_USaKpDGKCiGX');
  assert.deepEqual([camera?.value.url, camera?.value.name], ['rtsp://viewer:secret@c.example/live', 'Gate']);
  assert.equal(log.lines.find(({ message }) => message === 'secrets in the store sealed')?.fields.count, 2);
  await store.close();

  const again = new KeepingLog();
  await (await openStore(folder, again)).store.close();
  assert.deepEqual(again.lines, []);
});

test('without the key file a document keeps what is no secret, and the operator is told', async () => {
  const folder = newFolder();
  const first = await openStore(folder, new KeepingLog());
  await first.store.put('streaming-ins', 'IN_1', { url: 'rtsp://u:p@camera.example', name: 'Gate' }, 0);
  await first.store.close();
  rmSync(join(folder, keyFileName));
  const log = new KeepingLog();
  const { store } = await openStore(folder, log);
  assert.deepEqual((await store.get('streaming-ins', 'IN_1'))?.value, { url: undefined, name: 'Gate' });
  assert.match(JSON.stringify(log.lines), /a secret of the store cannot be read/);
  await store.close();
});
