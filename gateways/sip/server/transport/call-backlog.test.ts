import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, test } from 'vitest';
import { CallBacklog } from './call-backlog.ts';

const source = { address: '192.0.2.9', port: 5060 };
let due: string[] = [];
let late: string[] = [];
let told: string[] = [];
let nowMs = 0;
let backlog: CallBacklog<typeof source>;

beforeEach(() => {
  due = [];
  late = [];
  told = [];
  nowMs = 0;
  backlog = new CallBacklog({
    onDue: (_source, bytes, isLate) => void (isLate ? late : due).push(bytes.toString()),
    onWaiting: (_source, bytes) => void told.push(bytes.toString()),
    nowMs: () => nowMs,
  });
});

afterEach(() => backlog.clear());

function invite(...names: (string | number)[]): void {
  for (const name of names) backlog.take(source, Buffer.from(`INVITE ${name}`), 'INVITE');
}
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test('a call that comes alone is begun at once', () => {
  invite('a');
  assert.deepEqual(due, ['INVITE a']);
  assert.equal(backlog.size, 0);
});

test('of many calls some are begun in each turn, in the order of their coming', async () => {
  invite(...range(20));
  assert.equal(due.length, 4);
  await nextTurn();
  assert.equal(due.length, 8);
  invite('last');
  while (backlog.size > 0) await nextTurn();
  assert.deepEqual(
    due,
    [...range(20), 'last'].map((name) => `INVITE ${name}`),
  );
});

test('a CANCEL comes after its INVITE, and at once where none waits', async () => {
  invite(...range(4));
  backlog.take(source, Buffer.from('CANCEL 3'), 'CANCEL');
  assert.equal(due.at(-1), 'CANCEL 3');
  invite(4);
  backlog.take(source, Buffer.from('CANCEL 4'), 'CANCEL');
  assert.equal(due.length, 5);
  await nextTurn();
  assert.deepEqual(due.slice(5), ['INVITE 4', 'CANCEL 4']);
});

test('of what a caller repeats one waits; another caller may say the same', async () => {
  invite(...range(4), 'a', 'a');
  backlog.take({ ...source, port: 5062 }, Buffer.from('INVITE a'), 'INVITE');
  assert.equal(backlog.size, 2);
  await nextTurn();
  invite('a');
  assert.equal(due.filter((one) => one === 'INVITE a').length, 3);
});

test('of an INVITE that has waited for 200 ms its caller hears once, and again when it comes again', async () => {
  invite(...range(12));
  backlog.take(source, Buffer.from('CANCEL 11'), 'CANCEL');
  nowMs = 199;
  invite('later', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
  await nextTurn();
  invite(11);
  assert.deepEqual(told, []);
  nowMs = 200;
  await nextTurn();
  // The last of them was begun in this turn, and a CANCEL has nothing to hear.
  assert.deepEqual(told, []);
  invite(...range(12).map((i) => `old ${i}`));
  nowMs = 400;
  await nextTurn();
  assert.deepEqual(told.splice(0), [
    'INVITE d',
    'INVITE e',
    'INVITE f',
    'INVITE g',
    'INVITE h',
    ...range(12).map((i) => `INVITE old ${i}`),
  ]);
  invite('h');
  assert.deepEqual(told.splice(0), ['INVITE h']);
  await nextTurn();
  assert.deepEqual(told, []);
});

test('what waited too long is late, and so is what comes when there is no more room', async () => {
  invite(...range(5));
  nowMs = 9_000;
  await nextTurn();
  assert.deepEqual(late, ['INVITE 4']);
  const huge = 'x'.repeat(60_000);
  invite(...range(200).map((i) => `${i}${huge}`));
  assert.ok(late.length > 1);
  assert.ok(backlog.size < 150, `${backlog.size} wait`);
});

test('what waits when it is cleared is forgotten', async () => {
  invite(...range(20));
  backlog.clear();
  await nextTurn();
  assert.equal(due.length, 4);
  invite('after');
  assert.equal(due.at(-1), 'INVITE after');
});
