import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

test('a node is listed, drained with a reason, and given work again', async () => {
  const { call, admin, rooms } = await someApi();
  await rooms.create({ name: 'demo' });
  const meeting = await rooms.open('demo');
  const { participant } = await joinAndPublish(meeting, 'alice');
  const listed = await call('GET', '/api/nodes', { as: admin });
  const [{ id, state, load, ports }] = listed.json.items;
  assert.deepEqual([state, load.cpuPercent, ports[0].name, listed.json.next], ['active', 50, 'http', null]);

  const drained = await call('POST', `/api/nodes/${id}/drain`, { as: admin, json: { reason: 'Upgrade' } });
  assert.deepEqual([drained.status, drained.json.drain.reason], [200, 'Upgrade']);
  const refused = await call('POST', '/api/rooms', { as: admin, json: { name: 'new' } });
  assert.deepEqual([refused.status, refused.json.code, refused.headers.get('retry-after')], [503, 'draining', '5']);
  const recording = await call('POST', '/api/rooms/demo/recordings', { as: admin, json: {} });
  assert.deepEqual([recording.status, recording.json.code], [503, 'draining']);
  const ready = await call('GET', '/ready');
  assert.equal(ready.status, 503);
  assert.match(ready.json.problems[0].message, /Draining.*Upgrade/);
  assert.equal(participant.isClosed, false);
  assert.equal((await call('GET', '/api/nodes?state=active', { as: admin })).json.items.length, 0);

  assert.equal((await call('POST', '/api/nodes/self/undrain', { as: admin })).json.drain, null);
  assert.equal((await call('GET', '/ready')).status, 200);
  assert.equal((await call('POST', '/api/rooms', { as: admin, json: { name: 'new' } })).status, 201);
});

test('a drain takes a reason of the right shape, or none, and knows the node', async () => {
  const { call, admin } = await someApi();
  assert.equal((await call('POST', '/api/nodes/self/drain', { as: admin })).status, 200);
  const wrong = await call('POST', '/api/nodes/self/drain', { as: admin, json: { reason: 'x'.repeat(201) } });
  assert.deepEqual([wrong.status, wrong.json.errors[0].path], [400, 'reason']);
  assert.equal((await call('GET', '/api/nodes/ND_none', { as: admin })).status, 404);
});
