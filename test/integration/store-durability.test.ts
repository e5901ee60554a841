import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openSqliteStore } from '#store/sqlite.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';

const kills = 5;

test('kill -9 in the middle of writing loses nothing that was acknowledged and leaves a sound file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-durability-'));
  try {
    for (let round = 0; round < kills; round++) {
      const file = join(folder, `store-${round}.db`);
      const acknowledged = await writeUntilKilled(file, 20 + round * 60);
      const store = openSqliteStore(file, new KeepingLog());
      const last = await store.get<{ n: number }>('numbers', 'last');
      assert.ok((last?.value.n ?? 0) >= acknowledged);
      for (let n = 1; n <= acknowledged; n++) {
        const found = await store.get<{ n: number; padding: string }>('numbers', `n-${n}`);
        assert.deepEqual(found?.value, { n, padding: 'x'.repeat(n % 3_000) });
      }
      await store.put('numbers', 'after', 1, 0);
      await store.close();
      const raw = new DatabaseSync(file);
      expect(raw.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      raw.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

/** @returns the highest number that the writer had acknowledged when it was killed */
async function writeUntilKilled(file: string, enough: number): Promise<number> {
  const script = join(import.meta.dirname, 'store-writer.ts');
  const child = spawn(process.execPath, ['--no-warnings', script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.split('\n').length > enough) child.kill('SIGKILL');
  });
  const [code, signal] = await exited;
  assert.deepEqual([code, signal], [null, 'SIGKILL']);
  const lines = text.split('\n');
  // What follows the last newline was cut in the middle.
  return Number(lines.at(-2));
}
