import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { noWork, someNode } from '#test/support/some-node.ts';

function setting() {
  const told: string[] = [];
  const part = (name: string) => ({
    drain: (reason: string) => void told.push(`${name} drains: ${reason}`),
    undrain: () => void told.push(`${name} works`),
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
  const begun = await node.drain('self', 'Upgrade');
  assert.deepEqual([begun.state, begun.drain?.reason, begun.work.participants], ['draining', 'Upgrade', 2]);
  await node.drain(begun.id, 'Upgrade');
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
  await node.drain('self', '');
  assert.equal((await node.undrain('self')).drain, undefined);
  assert.deepEqual(told.slice(2), ['rooms works', 'phones works']);
  await node.drain('self', '');
  assert.deepEqual(types(), ['node.draining', 'node.undrained', 'node.draining']);
  await node.close();
});

test('a node that is being shut down is not given work again', async () => {
  const { node, told } = setting();
  await node.drain('self', 'Upgrade');
  node.beginDrain('The gateway is being shut down', { timeoutMs: 1_000 });
  await assert.rejects(node.undrain('self'), { code: 'draining' });
  assert.equal((await node.drain('self', 'Upgrade')).state, 'draining');
  await assert.rejects(node.undrain('self'), { code: 'draining' });
  assert.ok(!told.some((one) => one.endsWith('works')));
  await node.close();
});

test('another node is not known here', async () => {
  const { node } = setting();
  await assert.rejects(node.drain('ND_000000000000', ''), { code: 'not_found' });
  assert.equal((await node.list())[0]?.state, 'active');
});
