import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { noWork, someNode } from '#test/support/some-node.ts';

function setting() {
  const told: string[] = [];
  const part = (name: string) => ({
    drain: (reason: string) => void told.push(`${name} drains: ${reason}`),
    undrain: () => void told.push(`${name} works`),
    hurry: (closesInMs: number | null) => void told.push(`${name} hurries: ${closesInMs}`),
    evict: () => void told.push(`${name} evicts`),
  });
  const events: { type: string; data: Readonly<Record<string, unknown>> }[] = [];
  const eventLog = {
    emit: (type: string, data: Readonly<Record<string, unknown>>) => void events.push({ type, data }),
  };
  let work = { ...noWork, rooms: 1, participants: 2, jobs: 1 };
  const node = someNode({
    ...{ parts: [part('rooms'), part('phones')], eventLog, log: new KeepingLog(), work: () => work, tickMs: 5 },
  });
  const leave = () => {
    work = noWork;
  };
  return { node, told, events, leave, types: () => events.map(({ type }) => type) };
}

test('a drain tells every part once, and says when nothing is left', async () => {
  const { node, told, events, leave, types } = setting();
  const begun = await node.drain('self', { reason: 'Upgrade' });
  assert.deepEqual([begun.state, begun.drain?.reason, begun.work.participants], ['draining', 'Upgrade', 2]);
  await node.drain(begun.id, { reason: 'Upgrade' });
  assert.deepEqual(told, ['rooms drains: Upgrade', 'phones drains: Upgrade']);
  assert.deepEqual(events[0]?.data.participants, 2);
  leave();
  while (!types().includes('node.drained')) await new Promise((wake) => setTimeout(wake, 1));
  assert.equal((await node.read('self')).state, 'drained');
  assert.deepEqual(types(), ['node.draining', 'node.drained']);
  await node.close();
});

test('a drain that is taken back has every part work again, and can be begun anew', async () => {
  const { node, told, types } = setting();
  assert.equal((await node.undrain('self')).state, 'active');
  await node.drain('self', { reason: '' });
  assert.equal((await node.undrain('self')).drain, undefined);
  assert.deepEqual(told.slice(2), ['rooms works', 'phones works']);
  await node.drain('self', { reason: '' });
  assert.deepEqual(types(), ['node.draining', 'node.undrained', 'node.draining']);
  await node.close();
});

test('a node that is being shut down is not given work again', async () => {
  const { node, told } = setting();
  await node.drain('self', { reason: 'Upgrade' });
  node.beginDrain({ reason: 'The gateway is being shut down', timeoutMs: 1_000 }, { isForGood: true });
  await assert.rejects(node.undrain('self'), { code: 'draining' });
  assert.equal((await node.drain('self', { reason: 'Upgrade' })).state, 'draining');
  await assert.rejects(node.undrain('self'), { code: 'draining' });
  assert.ok(!told.some((one) => one.endsWith('works')));
  await node.close();
});

test('a drain with a time hurries its parts at once, and sends away what is left, until nothing is', async () => {
  const { node, told, events, leave, types } = setting();
  const begun = await node.drain('self', { reason: 'Upgrade', timeoutMs: 20 });
  assert.equal((begun.drain?.endsAtMs ?? 0) - (begun.drain?.sinceMs ?? 0), 20);
  assert.deepEqual(told.slice(2), ['rooms hurries: 20', 'phones hurries: 20']);
  while (told.filter((one) => one === 'rooms evicts').length < 2) await new Promise((wake) => setTimeout(wake, 1));
  leave();
  while (!types().includes('node.drained')) await new Promise((wake) => setTimeout(wake, 1));
  assert.deepEqual(types(), ['node.draining', 'node.evicting', 'node.drained']);
  assert.deepEqual([events[0]?.data.timeoutMs, events[1]?.data.participants], [20, 2]);
  await node.close();
});

test('a drain gets another time by another one, or none any more', async () => {
  const { node, told, types } = setting();
  await node.drain('self', { reason: 'Upgrade', timeoutMs: 60_000 });
  assert.equal((await node.drain('self', { reason: 'Upgrade' })).drain?.endsAtMs, undefined);
  await node.drain('self', { reason: 'Upgrade', timeoutMs: 0 });
  assert.deepEqual(
    told.filter((one) => one.startsWith('rooms hurries')),
    ['rooms hurries: 60000', 'rooms hurries: null', 'rooms hurries: 0'],
  );
  assert.ok(told.includes('rooms evicts'));
  assert.deepEqual(types(), ['node.draining', 'node.draining', 'node.draining', 'node.evicting']);
  await node.close();
});

test('a node that ends with its process leaves it to that to close what is left', async () => {
  const { node, told } = setting();
  node.beginDrain({ reason: 'The gateway is being shut down', timeoutMs: 0 }, { isForGood: true });
  assert.ok(!told.includes('rooms evicts'));
  await node.close();
});

test('another node is not known here', async () => {
  const { node } = setting();
  await assert.rejects(node.drain('ND_000000000000', { reason: '' }), { code: 'not_found' });
  assert.equal((await node.list())[0]?.state, 'active');
});
