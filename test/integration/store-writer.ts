// Writes numbered documents into the store named by the first argument until it is killed, saying each one that is
// acknowledged. Run by store-durability.test.ts as a process of its own.
import { openSqliteStore } from '#store/sqlite.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';

const store = openSqliteStore(process.argv[2] ?? '', new KeepingLog());
for (let n = 1; ; n++) {
  await store.put('numbers', 'last', { n });
  await store.put('numbers', `n-${n}`, { n, padding: 'x'.repeat(n % 3_000) }, 0);
  // One synchronous write for each: what the reader has seen was acknowledged before.
  if (!process.stdout.write(`${n}\n`)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
