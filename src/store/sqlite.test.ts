import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { storeConformance } from '#test/support/store-conformance.ts';
import { openSqliteStore } from './sqlite.ts';

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-store-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const newFile = () => join(folder, 'nested', `store-${files++}.db`);
const log = new KeepingLog();
const failsWith = (code: string, words: RegExp) => (thrown: unknown) =>
  thrown instanceof GatewayError && thrown.code === code && words.test(thrown.message);

storeConformance('SQLite in memory', { open: async () => openSqliteStore(':memory:', log) });
storeConformance('SQLite in a file', { open: async () => openSqliteStore(newFile(), log) });

test('documents and revisions are there after close and open', async () => {
  const file = newFile();
  const store = openSqliteStore(file, log);
  await store.put('rooms', 'a', { name: 'demo' });
  await store.put('rooms', 'a', { name: 'demo2' });
  await store.close();
  const again = openSqliteStore(file, log);
  const found = await again.get('rooms', 'a');
  assert.deepEqual([found?.value, found?.revision], [{ name: 'demo2' }, 2]);
  await again.close();
});

test('the file is its owner’s alone', async () => {
  const file = newFile();
  await openSqliteStore(file, log).close();
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a store of a newer version is refused with both versions and left as it is', async () => {
  const file = newFile();
  await openSqliteStore(file, log).close();
  const raw = new DatabaseSync(file);
  raw.exec('PRAGMA user_version = 999');
  raw.close();
  assert.throws(() => openSqliteStore(file, log), failsWith('conflict', /version 999.*knows up to \d+/));
  const after = new DatabaseSync(file);
  assert.equal(after.prepare('PRAGMA user_version').get()?.user_version, 999);
  after.close();
});

test('a file that is no database is refused by name', () => {
  const file = join(folder, 'letter.db');
  writeFileSync(file, 'Dear Sir or Madam, '.repeat(100));
  assert.throws(() => openSqliteStore(file, log), failsWith('conflict', /letter\.db cannot be opened/));
});

test('a migration is logged once', async () => {
  const file = newFile();
  const lines = new KeepingLog();
  await openSqliteStore(file, lines).close();
  await openSqliteStore(file, lines).close();
  assert.deepEqual(
    lines.lines.map(({ message }) => message),
    ['store migrated'],
  );
});

test('two stores on one file see each other’s writes and conflict by revision', async () => {
  const file = newFile();
  const [one, two] = [openSqliteStore(file, log), openSqliteStore(file, log)];
  const { revision } = await one.put('rooms', 'a', 1);
  assert.equal((await two.get('rooms', 'a'))?.value, 1);
  await two.put('rooms', 'a', 2, revision);
  await assert.rejects(one.put('rooms', 'a', 3, revision), failsWith('conflict', /read it again/));
  await Promise.all([one.close(), two.close()]);
});
