import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';

const path = '/api/rooms/demo/views/common';

async function someViews() {
  const api = await someApi();
  await api.rooms.create({ name: 'demo' });
  return api;
}

test('a room has a view named common, which does not run while nobody watches', async () => {
  const { call, admin } = await someViews();
  const { json } = await call('GET', '/api/rooms/demo/views', { as: admin });
  assert.deepEqual(
    json.items.map(({ name, isRunning, inputs }: { name: string; isRunning: boolean; inputs: unknown[] }) => [
      name,
      isRunning,
      inputs,
    ]),
    [['common', false, []]],
  );
  assert.equal((await call('GET', path, { as: admin })).json.layout.base, 'fluid');
  assert.equal((await call('GET', '/api/rooms/demo/views/none', { as: admin })).status, 404);
});

test('looks change and stay; what is not named stays what it was', async () => {
  const { call, admin } = await someViews();
  const region = [{ id: '1', area: { left: '0', top: '0', width: '2/3', height: '1' } }];
  const json = { layout: { custom: [{ region }] }, backgroundColor: '#203040', hasLabels: false };
  const changed = await call('PATCH', path, { as: admin, json });
  assert.equal(changed.status, 200);
  const { layout, backgroundColor, hasLabels, maxInputs } = (await call('GET', path, { as: admin })).json;
  assert.deepEqual(
    [layout.base, layout.custom[0].region[0].shape, backgroundColor, hasLabels, maxInputs],
    ['fluid', 'rectangle', '#203040', false, 16],
  );
});

test.each<[string, object, number]>([
  [
    'no rational number',
    { layout: { custom: [{ region: [{ id: '1', area: { left: 'x', top: '0', width: '1', height: '1' } }] }] } },
    400,
  ],
  [
    'a region beyond the canvas',
    { layout: { custom: [{ region: [{ id: '1', area: { left: '1/2', top: '0', width: '2/3', height: '1' } }] }] } },
    400,
  ],
  ['an unknown key', { colour: '#000000' }, 400],
  ['an unknown layout', { layout: { base: 'heap' } }, 400],
  ['an image that is none', { backgroundImage: 'aGVsbG8=' }, 400],
  ['a primary while nobody watches', { primary: 'TR_1', backgroundColor: '#ffffff' }, 409],
])('%s is refused and changes nothing', async (_title, json, status) => {
  const { call, admin } = await someViews();
  assert.equal((await call('PATCH', path, { as: admin, json })).status, status);
  assert.equal((await call('GET', path, { as: admin })).json.backgroundColor, '#000000');
});

test('a viewer may read it and not change it', async () => {
  const { call, tokenFor } = await someViews();
  const viewer = await tokenFor('demo', 'viewer');
  assert.equal((await call('GET', path, { as: viewer })).status, 200);
  assert.equal((await call('PATCH', path, { as: viewer, json: { hasLabels: false } })).status, 403);
});
