// Merge patches of what could only be replaced as a whole: what is left out stays, null takes away, secrets are kept.
import { strict as assert } from 'node:assert';
import { beforeEach, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';

let api: Awaited<ReturnType<typeof someApi>>;
beforeEach(async () => {
  api = await someApi();
});
const make = async (path: string, json: object) => (await api.call('POST', path, { as: api.admin, json })).json;
const patch = (path: string, json: object) => api.call('PATCH', path, { as: api.admin, json });

test('a trunk keeps what a patch leaves out, its password too, and names what does not fit', async () => {
  const outbound = { hosts: ['a.example'], username: 'u', password: 'secret', maxCalls: 3 };
  const { id } = await make('/api/sip/trunks', { name: 'carrier', outbound, media: { codecs: ['pcma'] } });
  const changed = await patch(`/api/sip/trunks/${id}`, { outbound: { maxCalls: null, transport: 'tls' }, media: null });
  assert.equal(changed.status, 200);
  const { name, outbound: now, media } = changed.json;
  assert.deepEqual([name, now.hosts, now.username, now.hasPassword], ['carrier', ['a.example'], 'u', true]);
  assert.deepEqual([now.transport, now.maxCalls, media.codecs], ['tls', undefined, null]);
  assert.equal(api.sip.trunks.passwordOf(api.sip.trunks.get(id).outbound), 'secret');
  const wrong = await patch(`/api/sip/trunks/${id}`, { outbound: { hosts: null } });
  assert.deepEqual([wrong.status, wrong.json.errors[0].path], [400, 'outbound.hosts']);
  const unknown = await patch(`/api/sip/trunks/${id}`, { outbound: { hoosts: [] } });
  assert.deepEqual([unknown.status, unknown.json.errors[0].path], [400, 'outbound.hoosts']);
  assert.equal((await patch(`/api/sip/trunks/${id}`, { outbound: null })).status, 400);
});

test('an account is disabled and keeps its password; null takes a name back', async () => {
  const { id } = await make('/api/sip/accounts', { username: 'bob', password: 'pw', displayName: 'Bob' });
  const { json } = await patch(`/api/sip/accounts/${id}`, { isEnabled: false, displayName: null });
  assert.deepEqual([json.username, json.isEnabled, json.displayName], ['bob', false, null]);
  await patch(`/api/sip/accounts/${id}`, { isEnabled: true });
  assert.equal(api.sip.accounts.passwordOf('bob'), 'pw');
});

test('a rule goes to another room with the PIN that it had, and then without one', async () => {
  await api.rooms.create({ name: 'one' });
  const { id } = await make('/api/sip/dispatch-rules', { number: '+4930', room: 'one', pin: '4711' });
  const moved = await patch(`/api/sip/dispatch-rules/${id}`, { room: 'two', order: 7 });
  assert.deepEqual(
    [moved.json.room, moved.json.number, moved.json.order, moved.json.hasPin],
    ['two', '+4930', 7, true],
  );
  assert.equal((await patch(`/api/sip/dispatch-rules/${id}`, { pin: null })).json.hasPin, false);
  const both = await patch(`/api/sip/dispatch-rules/${id}`, { reject: { reason: 'No.' } });
  assert.deepEqual([both.status, both.json.errors[0].path], [400, 'room']);
});

test('a stream key is renamed and its policy changed; the key itself and its room stay', async () => {
  await api.rooms.create({ name: 'one' });
  const { id, key } = await make('/api/stream-keys', { room: 'one', name: 'OBS', onConflict: 'take_over' });
  const { json } = await patch(`/api/stream-keys/${id}`, { name: 'Studio', onConflict: null });
  assert.deepEqual([json.name, json.onConflict, json.room], ['Studio', 'reject', 'one']);
  assert.equal((await api.ingest.streamKeys.verify('rtmp', key)).name, 'Studio');
  const latencies = [];
  for (const latency of ['low', null])
    latencies.push((await patch(`/api/stream-keys/${id}`, { latency })).json.latency);
  assert.deepEqual([json.latency, ...latencies], [null, 'low', null]);
  assert.equal((await patch(`/api/stream-keys/${id}`, { room: 'two' })).status, 400);
  assert.equal((await patch('/api/stream-keys/none', { name: 'x' })).status, 404);
});

test('a page goes on where the last one ended; behind an item that has gone nobody knows where that was', async () => {
  for (const name of ['a', 'b', 'c']) await make('/api/sip/trunks', { name, outbound: { hosts: ['h.example'] } });
  const get = (query: string) => api.call('GET', `/api/sip/trunks?${query}`, { as: api.admin });
  const first = await get('limit=2');
  const names = (answer: typeof first) => answer.json.items.map(({ name }: { name: string }) => name);
  assert.deepEqual(names(first), ['a', 'b']);
  assert.deepEqual(names(await get(`limit=2&after=${first.json.next}`)), ['c']);
  await api.call('DELETE', `/api/sip/trunks/${first.json.next}`, { as: api.admin });
  const gone = await get(`after=${first.json.next}`);
  assert.deepEqual([gone.status, gone.json.errors[0].path], [400, 'after']);
});

test('a node of a menu is changed by itself, and what would break the menu is refused with its place', async () => {
  const nodes = { main: { say: ['welcome'], keys: { 1: { room: 'one' } } } };
  const { id, menu } = await make('/api/sip/dispatch-rules', { number: '800', menu: { start: 'main', nodes } });
  assert.deepEqual(menu, { start: 'main', nodes });
  const changed = await patch(`/api/sip/dispatch-rules/${id}`, { menu: { nodes: { main: { tries: 2 } } } });
  assert.deepEqual(changed.json.menu.nodes.main, { ...nodes.main, tries: 2 });
  const other = await patch(`/api/sip/dispatch-rules/${id}`, {
    menu: { nodes: { main: { tries: null, keys: { 1: { room: null, repeat: true }, 2: { room: 'two' } } } } },
  });
  assert.deepEqual(other.json.menu.nodes.main, { ...nodes.main, keys: { 1: { repeat: true }, 2: { room: 'two' } } });
  const gone = await patch(`/api/sip/dispatch-rules/${id}`, { menu: { nodes: { main: { keys: { 2: null } } } } });
  assert.deepEqual(Object.keys(gone.json.menu.nodes.main.keys), ['1']);
  const broken = await patch(`/api/sip/dispatch-rules/${id}`, { menu: { start: 'other' } });
  assert.deepEqual([broken.status, broken.json.errors[0].path], [400, 'menu.start']);
  const unknown = await make('/api/sip/dispatch-rules', { number: '1', menu: { start: 'main', nodes, depth: 3 } });
  assert.equal(unknown.status, 400);
});
