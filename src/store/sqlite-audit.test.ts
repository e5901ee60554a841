import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'vitest';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { type Journal, openJournal } from './journal.ts';

let folder: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-audit-'));
  journal = openJournal(join(folder, 'switchyard.db'), new KeepingLog());
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true });
});

const entry = (action: string) => ({
  ...{ atMs: Date.now(), actor: 'key:a', name: 'a', action, target: '/', status: 200, address: '::1', requestId: 'r' },
});
const written = (of: Journal) => of.audit.read({ after: 0, limit: 100 }).map(({ action }) => action);

test('what is acknowledged is in the file, in order, for another reader too', async () => {
  const actions = Array.from({ length: 40 }, (_, n) => `act${n}`);
  await Promise.all(actions.map((action) => journal.audit.append(entry(action))));
  const other = openJournal(join(folder, 'switchyard.db'), new KeepingLog());
  assert.deepEqual(written(other), actions);
  other.close();
});

test('what waits is seen by whoever reads, and written when the journal closes', async () => {
  const one = journal.audit.append(entry('one'));
  assert.deepEqual(written(journal), ['one']);
  const two = journal.audit.append(entry('two'));
  journal.close();
  await Promise.all([one, two]);
  journal = openJournal(join(folder, 'switchyard.db'), new KeepingLog());
  assert.deepEqual(written(journal), ['one', 'two']);
});

test('who writes to a journal that is closed is told that it was not written', async () => {
  await journal.audit.append(entry('one'));
  journal.close();
  await assert.rejects(journal.audit.append(entry('two')));
});
