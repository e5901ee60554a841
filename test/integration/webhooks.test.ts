// With a real receiver on loopback: down, slow, forbidden, gone.
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'vitest';
import { EventLog } from '#core/event-log.ts';
import type { GatewayEvent } from '#core/gateway-events.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { openJournal } from '#store/journal.ts';
import { openSecretBox } from '#store/secret-box.ts';
import { openSqliteStore } from '#store/sqlite.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { WebhookReceiver } from '#test/support/webhook-receiver.ts';
import { Webhooks, type WebhooksSettings } from '#webhooks/index.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A minute of 1 s, 2 s, 4 s … is 60 ms of 1 ms, 2 ms, 4 ms … */
const quick: WebhooksSettings = {
  ...{ firstRetryMs: 1, maxRetryMs: 40, giveUpAfterMs: 60_000, timeoutMs: 2_000 },
  ...{ maxInFlight: 4, maxPending: 10_000, maxCount: 5 },
};

function someFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-webhooks-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function someWebhooks(settings: Partial<WebhooksSettings> = {}, folder = someFolder()) {
  const log = new KeepingLog();
  const file = join(folder, 'test.db');
  const store = openSqliteStore(file, log);
  const journal = openJournal(file, log);
  const eventLog = new EventLog({ store: journal.events, retentionMs: 1e9, maxCount: 1e6, log });
  const webhooks = await Webhooks.create({
    ...{ store, deliveries: journal.deliveries, eventLog, log, userAgent: 'test' },
    secrets: openSecretBox(join(folder, 'secrets.key')),
    policy: new NetPolicy({ schemes: ['http', 'https'], allow: ['127.0.0.0/8'] }),
    settings: { ...quick, ...settings },
    present: ({ id, type, room, data }: GatewayEvent) => ({ id, type, room: room?.id, data }),
  });
  let isClosed = false;
  const close = async () => {
    if (isClosed) return;
    isClosed = true;
    await eventLog.close();
    await webhooks.close();
    journal.close();
    await store.close();
  };
  cleanups.push(close);
  return { webhooks, eventLog, journal, close, log, folder };
}

async function someReceiver(): Promise<WebhookReceiver> {
  const receiver = new WebhookReceiver();
  await receiver.open();
  cleanups.push(() => receiver.shut());
  return receiver;
}

const input = (url: string) => ({ url, description: '', types: [], roomId: undefined, isEnabled: true });
const room = (n: number) => ({ id: `RM_${n}`, name: `room-${n}` });

function assertOrderedPerRoom(receiver: WebhookReceiver): void {
  const last = new Map<string, number>();
  for (const { event } of receiver.taken) {
    assert.ok((last.get(event.room) ?? -1) < event.data.n, `${event.room}: ${event.data.n} came late`);
    last.set(event.room, event.data.n);
  }
}

test('a receiver that was down gets every event once, in order in each room, with a good signature', async () => {
  const { webhooks, eventLog, journal } = await someWebhooks();
  const receiver = await someReceiver();
  const { entry, secret } = await webhooks.create(input(receiver.url));
  receiver.secret = secret;
  const { id } = entry.record;
  for (let n = 0; n < 40; n++) eventLog.emit('participant.joined', { n }, room(n % 5));
  await receiver.untilTaken(40);
  await receiver.shut();
  for (let n = 40; n < 200; n++) eventLog.emit('participant.left', { n }, room(n % 5));
  eventLog.flush();
  // The minute: each lane has met the closed door again and again.
  while (
    journal.deliveries.list(id, { after: 0, limit: 500, state: 'pending' }).filter((d) => d.attempts > 4).length < 5
  ) {
    await new Promise((wake) => setTimeout(wake, 5));
  }
  assert.equal(webhooks.pendingCount(id), 160);
  await receiver.open();
  await receiver.untilTaken(200);
  assert.equal(receiver.forged, 0);
  assert.equal(new Set(receiver.taken.map((taken) => taken.id)).size, 200);
  assert.equal(receiver.taken.length, 200);
  assertOrderedPerRoom(receiver);
  assert.ok(receiver.maxBusy <= quick.maxInFlight);
  await webhooks.close();
  assert.equal(webhooks.pendingCount(id), 0);
});

test('what waited when the gateway ended is brought by the next one', async () => {
  const receiver = await someReceiver();
  const before = await someWebhooks();
  const { entry, secret } = await before.webhooks.create(input(receiver.url));
  receiver.secret = secret;
  await receiver.shut();
  for (let n = 0; n < 30; n++) before.eventLog.emit('job.changed', { n }, room(n % 3));
  await before.close();
  await receiver.open();
  const after = await someWebhooks({}, before.folder);
  await receiver.untilTaken(30);
  assertOrderedPerRoom(receiver);
  assert.deepEqual([receiver.forged, receiver.taken.length], [0, 30]);
  // The log goes on where it was, with new numbers.
  after.eventLog.emit('job.changed', { n: 30 }, room(0));
  await receiver.untilTaken(31);
  assert.equal(after.webhooks.get(entry.record.id).record.url, receiver.url);
  assert.equal(new Set(receiver.taken.map(({ id }) => id)).size, 31);
});

test('a receiver that hangs delays nobody else, and one room that is refused no other', async () => {
  const { webhooks, eventLog } = await someWebhooks({ timeoutMs: 60_000 });
  const [hanging, good] = [await someReceiver(), await someReceiver()];
  hanging.answer = () => new Promise(() => undefined);
  good.answer = ({ event }) => (event.room === 'RM_1' && good.taken.length < 20 ? 500 : 200);
  await webhooks.create(input(hanging.url));
  const { secret } = await webhooks.create(input(good.url));
  good.secret = secret;
  for (let n = 0; n < 40; n++) eventLog.emit('stream.updated', { n }, room(n % 2));
  await good.untilTaken(40);
  assert.deepEqual(
    good.taken.slice(0, 20).map(({ event }) => event.room),
    Array.from({ length: 20 }, () => 'RM_0'),
  );
  assertOrderedPerRoom(good);
  assert.equal(hanging.taken.length, 0);
});

test('only what a webhook asks for is sent, and a replay carries the same id', async () => {
  const { webhooks, eventLog } = await someWebhooks();
  const receiver = await someReceiver();
  const { entry, secret } = await webhooks.create({ ...input(receiver.url), types: ['participant.*'], roomId: 'RM_1' });
  receiver.secret = secret;
  eventLog.emit('participant.joined', { n: 0 }, room(2));
  eventLog.emit('room.opened', { n: 1 }, room(1));
  eventLog.emit('participant.joined', { n: 2 }, room(1));
  await receiver.untilTaken(1);
  const [delivery] = webhooks.deliveriesOf(entry.record.id, { after: 0, limit: 10 });
  assert.ok(delivery);
  webhooks.replay(entry.record.id, { seq: delivery.event.seq, lane: delivery.lane });
  await receiver.untilTaken(2);
  const [first, again] = receiver.taken;
  assert.deepEqual([first?.event.data.n, again?.event.data.n], [2, 2]);
  assert.deepEqual([first?.id, first?.isReplay, again?.isReplay], [again?.id, false, true]);
});

test('an event that was refused for too long fails, is told of, and the next one has its turn', async () => {
  const { webhooks, eventLog } = await someWebhooks({ giveUpAfterMs: 50 });
  const receiver = await someReceiver();
  const { entry, secret } = await webhooks.create(input(receiver.url));
  receiver.secret = secret;
  receiver.answer = ({ event }) => (event.data.n === 0 ? 500 : 200);
  eventLog.emit('room.updated', { n: 0 }, room(1));
  eventLog.emit('room.updated', { n: 1 }, room(1));
  await receiver.untilTaken(1);
  const [failed] = webhooks.deliveriesOf(entry.record.id, { after: 0, limit: 10, state: 'failed' });
  assert.equal(failed?.event.data.n, 0);
  assert.match(failed?.error ?? '', /500/);
  eventLog.flush();
  assert.deepEqual(
    eventLog.read({ types: ['webhook.failed'], after: 0, limit: 10 }).map(({ data }) => data.id),
    [entry.record.id],
  );
});

test('410 turns a webhook off', async () => {
  const { webhooks, eventLog } = await someWebhooks();
  const receiver = await someReceiver();
  const { entry } = await webhooks.create(input(receiver.url));
  receiver.answer = () => 410;
  eventLog.emit('room.updated', {}, room(1));
  while (webhooks.get(entry.record.id).record.isEnabled) await new Promise((wake) => setTimeout(wake, 5));
  assert.match(webhooks.get(entry.record.id).record.disabledReason ?? '', /410/);
});

test('an old secret signs along until its time is over', async () => {
  const { webhooks, eventLog } = await someWebhooks();
  const receiver = await someReceiver();
  const { entry, secret } = await webhooks.create(input(receiver.url));
  receiver.secret = secret;
  const { id } = entry.record;
  await webhooks.rotateSecret(id, 60_000);
  eventLog.emit('room.updated', { n: 0 }, room(1));
  await receiver.untilTaken(1);
  assert.equal(receiver.forged, 0);
  receiver.secret = (await webhooks.rotateSecret(id, 0)).secret;
  eventLog.emit('room.updated', { n: 1 }, room(1));
  await receiver.untilTaken(2);
  assert.equal(receiver.forged, 0);
});

test('secrets are not in the database as they are', async () => {
  const { webhooks, close, folder } = await someWebhooks();
  const { entry, secret } = await webhooks.create(input('https://app.example/'));
  assert.ok(!JSON.stringify(entry.record).includes(secret.slice(6)));
  await close();
  const { readFileSync, statSync } = await import('node:fs');
  assert.ok(!readFileSync(join(folder, 'test.db'), 'latin1').includes(secret.slice(6)));
  assert.equal(statSync(join(folder, 'secrets.key')).mode & 0o777, 0o600);
});

test('addresses that may not be reached are refused when the webhook is made, and when a name leads there', async () => {
  const { webhooks, eventLog } = await someWebhooks();
  for (const url of ['http://169.254.169.254/latest', 'http://[::1]/', 'http://0.0.0.0/', 'ftp://app.example/']) {
    await assert.rejects(webhooks.create(input(url)), /may not be reached|not allowed/, url);
  }
  await assert.rejects(webhooks.create(input('nonsense')), /needs an http/);
  // The name is looked up for each attempt.
  const policy = new NetPolicy({ schemes: ['http'] });
  const { post } = await import('#webhooks/post.ts');
  const message = { url: new URL('http://localhost:9/'), headers: {}, body: '', policy, timeoutMs: 5_000 };
  await assert.rejects(post({ ...message, signal: new AbortController().signal }), /may not be reached: loopback/);
  eventLog.flush();
});

test('no more than so many wait for one receiver, and what is dropped is counted', async () => {
  const { webhooks, eventLog } = await someWebhooks({ maxPending: 10, maxRetryMs: 10_000, firstRetryMs: 10_000 });
  const receiver = await someReceiver();
  const { entry } = await webhooks.create(input(receiver.url));
  await receiver.shut();
  for (let n = 0; n < 25; n++) eventLog.emit('room.updated', { n }, room(1));
  eventLog.flush();
  assert.equal(webhooks.pendingCount(entry.record.id), 10);
  assert.equal(webhooks.droppedCount(entry.record.id), 15);
});
