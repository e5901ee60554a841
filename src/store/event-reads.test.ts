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
