import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openSqliteStore } from '#store/sqlite.ts';
import { adminKey, startGateway } from '#test/support/gateway.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const kills = 5;
const writers = 500;

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

test('kill -9 of a gateway during 500 concurrent writes: it starts again, and every room that was confirmed is there', async () => {
  const data = mkdtempSync(join(tmpdir(), 'switchyard-kill-'));
  try {
    const confirmed = await createRoomsUntilKilled(data, writers / 2);
    assert.ok(confirmed.length >= writers / 2);
    const raw = new DatabaseSync(join(data, 'switchyard.db'));
    expect(raw.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    raw.close();
    const gateway = await startGateway({ data });
    try {
      for (const room of confirmed) assert.deepEqual(await gateway.api('GET', `/api/rooms/${room.name}`), room);
      await gateway.api('POST', '/api/rooms', { name: 'after' });
    } finally {
      await gateway.close();
    }
  } finally {
    rmSync(data, { recursive: true });
  }
}, 120_000);

/** @returns the rooms whose creation was answered with 201 before the gateway was killed, as they were shown */
async function createRoomsUntilKilled(data: string, enough: number): Promise<{ name: string }[]> {
  const script = join(import.meta.dirname, 'gateway-process.ts');
  const gateway = new PeerProcess(process.execPath, ['--no-warnings', script, data]);
  const confirmed: { name: string }[] = [];
  try {
    const [url] = await gateway.says(/^http\S+(?=\n)/);
    const create = async (name: string) => {
      const response = await fetch(`${url}/api/rooms`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name, metadata: { padding: 'x'.repeat(name.length * 50) } }),
      });
      assert.equal(response.status, 201);
      confirmed.push((await response.json()) as { name: string });
      if (confirmed.length >= enough) gateway.child.kill('SIGKILL');
    };
    const write = async (writer: number) => {
      for (let n = 0; ; n++) await create(`room-${writer}-${n}`);
    };
    const results = await Promise.allSettled(Array.from({ length: writers }, (_, writer) => write(writer)));
    // A connection that broke is what a kill looks like; a refusal is not.
    for (const one of results) assert.ok(one.status === 'rejected' && one.reason instanceof TypeError, String(one));
    return confirmed;
  } finally {
    await gateway.stop('SIGKILL');
    assert.equal(gateway.child.signalCode, 'SIGKILL');
  }
}

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
