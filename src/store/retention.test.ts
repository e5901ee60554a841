// What happened is kept for so long and so many: a clock that is moved, and the database as it is.
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, test, vi } from 'vitest';
import { EventLog } from '#core/event-log.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { type Journal, openJournal } from './journal.ts';

const hourMs = 3_600_000;

let journal: Journal;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  journal = openJournal(':memory:', new KeepingLog());
});
afterEach(() => {
  vi.useRealTimers();
  journal.close();
});

const all = { after: 0, limit: 1_000 };

function someLog({ retentionMs = 24 * hourMs, maxCount = 1_000 }) {
  const eventLog = new EventLog({ store: journal.events, retentionMs, maxCount, log: new KeepingLog() });
  const tell = (...names: string[]) => {
    for (const name of names) eventLog.emit('webhook.tested', { id: name });
    eventLog.flush();
  };
  const told = () => journal.events.read(all).map(({ data }) => data.id);
  return { eventLog, tell, told };
}

test('events go when they are too old, by themselves, and the newer ones stay', async () => {
  const { eventLog, tell, told } = someLog({});
  tell('old');
  vi.advanceTimersByTime(20 * hourMs);
  tell('new');
  assert.deepEqual(told(), ['old', 'new']);
  vi.advanceTimersByTime(5 * hourMs);
  assert.deepEqual(told(), ['new']);
  vi.advanceTimersByTime(20 * hourMs);
  assert.deepEqual(told(), []);
  await eventLog.close();
});

test('events go when they are too many, the oldest first', async () => {
  const { eventLog, tell, told } = someLog({ maxCount: 3 });
  tell('a', 'b', 'c', 'd', 'e');
  vi.advanceTimersByTime(hourMs);
  assert.deepEqual(told(), ['c', 'd', 'e']);
  await eventLog.close();
});

test('what a webhook still has to be told stays, however old, and its delivery goes after it was told', async () => {
  const { eventLog, tell, told } = someLog({});
  tell('waits');
  const [event] = journal.events.read(all);
  const delivery = journal.deliveries.replay('WH_1', event?.seq ?? 0, 'node');
  assert.ok(delivery);
  vi.advanceTimersByTime(48 * hourMs);
  assert.deepEqual(told(), ['waits']);
  journal.deliveries.note(delivery.id, { state: 'delivered', attempts: 1, status: 200, error: undefined });
  journal.deliveries.prune(Date.now() - hourMs, 0);
  assert.equal(journal.deliveries.list('WH_1', all).length, 1, 'it is not old yet');
  vi.advanceTimersByTime(2 * hourMs);
  journal.deliveries.prune(Date.now() - hourMs, 0);
  assert.deepEqual([told(), journal.deliveries.list('WH_1', all)], [[], []]);
  await eventLog.close();
});

test('entries of the audit log go by age and by number', () => {
  const write = (action: string) =>
    journal.audit.append({
      ...{ atMs: Date.now(), actor: 'key:a', name: 'a', action, target: '/', status: 200 },
      ...{ address: '::1', requestId: 'r' },
    });
  const written = () => journal.audit.read(all).map(({ action }) => action);
  void write('one');
  vi.advanceTimersByTime(10 * hourMs);
  for (const action of ['two', 'three', 'four']) void write(action);
  assert.equal(journal.audit.prune(Date.now() - hourMs, 100), 1);
  assert.deepEqual(written(), ['two', 'three', 'four']);
  assert.equal(journal.audit.prune(Date.now() - hourMs, 2), 1);
  assert.deepEqual(written(), ['three', 'four']);
});

test('much that goes at once goes in parts, around what a webhook still waits for', async () => {
  const all = Array.from({ length: 2_000 }, (_, index) => {
    return { seq: index + 1, id: '', type: 'webhook.tested' as const, atMs: 1, room: undefined, data: {} };
  });
  journal.events.append(all, [{ webhookId: 'WH_1', seq: 700, lane: '' }]);
  const { eventLog } = someLog({});
  const kept = () => journal.events.read({ after: 0, limit: 5_000 }).length;
  vi.advanceTimersByTime(60_000);
  assert.ok(kept() > 1_000 && kept() < 2_000, 'a part at once');
  for (let left = kept(); left > 1; left = kept()) {
    await new Promise(setImmediate);
    assert.ok(kept() > left - 1_000, 'no more in one turn');
  }
  assert.equal(journal.events.read({ after: 0, limit: 1 })[0]?.seq, 700);
  await eventLog.close();
});

test('deliveries of events that are gone go in parts, and so do those of a webhook', () => {
  const events = Array.from({ length: 3_000 }, (_, index) => {
    return { seq: index + 1, id: '', type: 'webhook.tested' as const, atMs: 1, room: undefined, data: {} };
  });
  journal.events.append(
    events,
    events.map(({ seq }) => ({ webhookId: seq % 2 === 0 ? 'WH_1' : 'WH_2', seq, lane: '' })),
  );
  const count = (id: string) => journal.deliveries.list(id, { after: 0, limit: 5_000 }).length;
  for (let id = 1; id <= 3_000; id += 2) {
    journal.deliveries.note(id, { state: 'delivered', attempts: 1, status: 200, error: undefined });
  }
  const olderThanMs = Date.now() + 1;
  const parts: number[] = [];
  for (let from: number | undefined = 0; from !== undefined; from = journal.deliveries.prune(olderThanMs, from)) {
    parts.push(count('WH_2'));
  }
  assert.deepEqual(parts, [1_500, 1_000, 500, 0]);
  assert.equal(count('WH_1'), 1_500);
  assert.deepEqual([journal.deliveries.forget('WH_1'), count('WH_1')], [true, 500]);
  assert.deepEqual([journal.deliveries.forget('WH_1'), count('WH_1')], [false, 0]);
});
