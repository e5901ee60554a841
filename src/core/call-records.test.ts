import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import { type CallInfo, newCallId } from './call.ts';
import { CallRecords } from './call-records.ts';
import type { StoredDocument } from './ports.ts';

const dayMs = 86_400_000;
const now = 1_900_000_000_000;

function recordsOf(max: number) {
  const { store, log } = someRooms();
  return { store, records: new CallRecords({ store, max, maxAgeDays: 30, log }) };
}

const call = (startedAtMs: number): CallInfo =>
  ({ id: newCallId(startedAtMs), startedAtMs, direction: 'inbound', state: 'ended' }) as CallInfo;

async function startsOf(records: CallRecords, after?: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { startedAtMs } of records.list(after)) found.push(startedAtMs);
  return found;
}

test('are listed newest first, go on after any of them, and are found by id', async () => {
  const { records } = recordsOf(1_000);
  const calls = [3, 1, 2, 5, 4].map((n) => call(now + n * 1_000));
  for (const one of calls) records.add(one);
  assert.deepEqual(
    await startsOf(records),
    [5, 4, 3, 2, 1].map((n) => now + n * 1_000),
  );
  assert.deepEqual(
    await startsOf(records, calls[0]?.id),
    [2, 1].map((n) => now + n * 1_000),
  );
  assert.equal((await records.find(calls[1]?.id ?? ''))?.startedAtMs, now + 1_000);
  assert.equal(await records.find('CL_nothing'), undefined);
});

test('those that are too old and those that are too many are deleted, the oldest first', async () => {
  const { records, store } = recordsOf(600);
  for (let n = 0; n < 1_300; n++) records.add(call(now - n * 1_000));
  records.add(call(now - 31 * dayMs));
  await records.prune(now);
  const left = await startsOf(records);
  assert.equal(left.length, 600);
  assert.deepEqual([left[0], left.at(-1)], [now, now - 599_000]);
  await records.prune(now + 40 * dayMs);
  assert.equal(await store.count('sip-calls'), 0);
});

test('with none to keep, none is', async () => {
  const { records, store } = recordsOf(0);
  records.add(call(now));
  await records.close();
  assert.equal(await store.count('sip-calls'), 0);
});

test('what has been written is not kept in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { store, records } = recordsOf(1_000);
  const written: WeakRef<StoredDocument>[] = [];
  const put = store.put.bind(store);
  store.put = async <T>(...args: Parameters<typeof put<T>>) => {
    const document = await put<T>(...args);
    written.push(new WeakRef(document));
    return document;
  };
  for (let n = 0; n < 20; n++) records.add(call(now + n));
  await records.find('CL_nothing');
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.equal(written.length, 20);
  assert.deepEqual(
    written.filter((one) => one.deref() !== undefined),
    [],
  );
});
