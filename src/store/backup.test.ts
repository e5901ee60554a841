import { strict as assert } from 'node:assert';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { backUp } from './backup.ts';
import { openSqliteStore } from './sqlite.ts';

const log = new KeepingLog();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-backup-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a copy is of one moment while the store is written, and opens as a store', async () => {
  const file = join(folder, 'live.db');
  const store = openSqliteStore(file, log);
  for (let n = 0; n < 300; n++) await store.put('numbers', `n-${n}`, { n, padding: 'x'.repeat(2_000) }, 0);
  const copying = backUp(file, join(folder, 'out', 'copy.db'));
  for (let n = 300; n < 400; n++) await store.put('numbers', `n-${n}`, { n }, 0);
  const copy = await copying;
  await store.close();
  assert.equal(statSync(copy).mode & 0o777, 0o600);
  const restored = openSqliteStore(copy, log);
  const kept = await restored.count('numbers');
  assert.ok(kept >= 300 && kept <= 400);
  for (let n = 0; n < kept; n++) assert.equal((await restored.get<{ n: number }>('numbers', `n-${n}`))?.value.n, n);
  await restored.close();
});

test('nothing is written over, and nothing half made is left', async () => {
  const fails = (code: string) => (thrown: unknown) => thrown instanceof GatewayError && thrown.code === code;
  const taken = join(folder, 'taken.db');
  writeFileSync(taken, 'mine');
  await assert.rejects(backUp(join(folder, 'live.db'), taken), fails('conflict'));
  await assert.rejects(backUp(join(folder, 'nowhere.db'), join(folder, 'x.db')), fails('not_found'));
  const letter = join(folder, 'letter.db');
  writeFileSync(letter, 'Dear Sir or Madam, '.repeat(300));
  await assert.rejects(backUp(letter, join(folder, 'y.db')), fails('internal'));
  assert.ok(!existsSync(join(folder, 'y.db')));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.partial')),
    [],
  );
});
