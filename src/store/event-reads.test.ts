// Who reads events finds all that were emitted before, in their order, whoever else is told of them.
import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { EventLog } from '#core/event-log.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { openJournal } from './journal.ts';

const all = { after: 0, limit: 1_000 };

test('what was emitted is read at once, in a storm too', async () => {
  const journal = openJournal(':memory:', new KeepingLog());
  const eventLog = new EventLog({ store: journal.events, retentionMs: 1e9, maxCount: 1e6, log: new KeepingLog() });
  for (let index = 0; index < 50; index += 1) {
    eventLog.emit('webhook.tested', { index });
    assert.deepEqual(eventLog.read(all).at(-1)?.data, { index });
  }
  assert.equal(eventLog.lastSeq, 50);
  await eventLog.close();
  journal.close();
});

test('who reads while it is told does not have others told out of order', async () => {
  const journal = openJournal(':memory:', new KeepingLog());
  const eventLog = new EventLog({ store: journal.events, retentionMs: 1e9, maxCount: 1e6, log: new KeepingLog() });
  eventLog.events.once('appended', () => {
    eventLog.emit('webhook.tested', { index: 2 });
    eventLog.read(all);
  });
  const told: unknown[] = [];
  eventLog.events.on('appended', (events) => told.push(...events.map(({ data }) => data.index)));
  eventLog.emit('webhook.tested', { index: 1 });
  eventLog.flush();
  assert.deepEqual(told, [1]);
  assert.equal(eventLog.read(all).length, 2);
  assert.deepEqual(told, [1, 2]);
  await eventLog.close();
  journal.close();
});

/** How many of them went at once: a part of the work each. */
async function turnsOf<T>(work: Promise<T>): Promise<{ readonly value: T; readonly turns: number }> {
  let turns = 0;
  let isOver = false;
  const counted = work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await new Promise(setImmediate);
    turns += 1;
  }
  return { value: await counted, turns };
}

test('a log of which the filter leaves out nearly everything is looked through in many turns of the event loop', async () => {
  const journal = openJournal(':memory:', new KeepingLog());
  const some = Array.from({ length: 60_000 }, (_, index) => {
    const type = index === 30_000 ? ('node.draining' as const) : ('webhook.tested' as const);
    return { seq: index + 1, id: '', type, atMs: 1, room: undefined, data: {} };
  });
  journal.events.append(some, []);
  const eventLog = new EventLog({ store: journal.events, retentionMs: 1e15, maxCount: 1e6, log: new KeepingLog() });
  for (const [order, after] of [
    ['oldest', 0],
    ['newest', 60_001],
  ] as const) {
    const { value, turns } = await turnsOf(eventLog.search({ types: ['node.*'], order, after, limit: 10 }));
    assert.deepEqual(
      value.events.map(({ seq }) => seq),
      [30_001],
    );
    assert.ok(turns >= 5, `${turns}`);
  }
  const { value } = await turnsOf(eventLog.search({ after: 59_990, limit: 20 }));
  assert.deepEqual([value.events.length, value.events.at(-1)?.seq, value.through], [10, 60_000, 60_000]);
  const last = await eventLog.search({ after: 60_001, limit: 3, order: 'newest' });
  assert.deepEqual(
    last.events.map(({ seq }) => seq),
    [60_000, 59_999, 59_998],
  );
  await eventLog.close();
  journal.close();
});
