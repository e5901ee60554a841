import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test, vi } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import { type CallInfo, newCallId } from './call.ts';
import { CallRecords } from './call-records.ts';
import type { Logger } from './ports.ts';

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
  const written: WeakRef<object>[] = [];
  const putAll = store.putAll.bind(store);
  store.putAll = async (collection, documents) => {
    await putAll(collection, documents);
    for (const { value } of documents) written.push(new WeakRef(value as CallInfo));
  };
  for (let n = 0; n < 20; n++) {
    records.add(call(now + n));
    if (n % 5 === 0) void records.flush();
  }
  await records.find('CL_nothing');
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.equal(written.length, 20);
  assert.deepEqual(
    written.filter((one) => one.deref() !== undefined),
    [],
  );
});

test('calls that end together are written together, and can be found before they are', async () => {
  const { records, store } = recordsOf(1_000);
  const writes: number[] = [];
  const putAll = store.putAll.bind(store);
  store.putAll = async (collection, documents) => {
    writes.push(documents.length);
    await putAll(collection, documents);
  };
  const calls = Array.from({ length: 40 }, (_, n) => call(now + n));
  for (const one of calls) records.add(one);
  assert.equal((await records.find(calls[7]?.id ?? ''))?.startedAtMs, now + 7);
  assert.deepEqual(writes, [40]);
  for (let n = 0; n < 2_500; n++) records.add(call(now + 1_000 + n));
  await records.close();
  assert.deepEqual(writes, [40, 1_024, 1_024, 452]);
  assert.equal(await store.count('sip-calls'), 2_540);
});

test('in a storm they wait longer for each other, and after it no longer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { records, store } = recordsOf(1_000);
    const writes: number[] = [];
    store.putAll = async (_collection, documents) => void writes.push(documents.length);
    const end = (count: number) => {
      for (let n = 0; n < count; n++) records.add(call(now));
    };
    end(65);
    vi.advanceTimersByTime(100);
    assert.deepEqual(writes, [65]);
    end(2);
    vi.advanceTimersByTime(399);
    assert.deepEqual(writes, [65]);
    vi.advanceTimersByTime(1);
    end(1);
    vi.advanceTimersByTime(100);
    assert.deepEqual(writes, [65, 2, 1]);
    await records.close();
  } finally {
    vi.useRealTimers();
  }
});

test('what could not be written is told in the log, and what comes after it is written', async () => {
  const { store, log, lines } = brokenOnce();
  const records = new CallRecords({ store, max: 1_000, maxAgeDays: 30, log });
  records.add(call(now));
  await records.flush();
  records.add(call(now + 1));
  await records.close();
  assert.deepEqual(lines, ['records of calls not kept']);
  assert.equal(await store.count('sip-calls'), 1);
});

function brokenOnce() {
  const { store, log: parent } = someRooms();
  const lines: string[] = [];
  const log: Logger = {
    ...parent,
    child: () => log,
    error: (_fields, message) => void lines.push(message),
  };
  const putAll = store.putAll.bind(store);
  store.putAll = async () => {
    store.putAll = putAll;
    throw new Error('disk full');
  };
  return { store, log, lines };
}
