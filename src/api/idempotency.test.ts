import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';

const key = (text: string) => ({ 'idempotency-key': text });

test('what is created under a key is created once, and answered alike', async () => {
  const { call, admin, rooms } = await someApi();
  const make = () => call('POST', '/api/rooms', { as: admin, json: { name: 'demo' }, headers: key('a') });
  const [first, again] = [await make(), await make()];
  assert.deepEqual([first.status, again.status, again.text], [201, 201, first.text]);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  for (const name of ['location', 'etag']) assert.equal(again.headers.get(name), first.headers.get(name));
  assert.equal((await rooms.list()).length, 1);
});

test('two at once make one, and the other is told to come again', async () => {
  const { call, admin, rooms } = await someApi();
  const make = () => call('POST', '/api/rooms', { as: admin, json: { name: 'demo' }, headers: key('a') });
  const answers = await Promise.all([make(), make(), make()]);
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [201, 409, 409]);
  const refused = answers.find(({ status }) => status === 409);
  assert.match(refused?.json.detail, /still under way/);
  assert.equal(refused?.headers.get('retry-after'), '1');
  assert.equal((await rooms.list()).length, 1);
});

test('another request under the same key is refused, and a refused one may be mended', async () => {
  const { call, admin } = await someApi();
  const make = (name: string) => call('POST', '/api/rooms', { as: admin, json: { name }, headers: key('a') });
  assert.equal((await make('no such name!')).status, 400);
  assert.equal((await make('demo')).status, 201);
  assert.equal((await make('other')).status, 422);
});

test('a key is of its caller, its method and its path', async () => {
  const { call, admin, keyWith } = await someApi();
  const other = await keyWith('rooms:write', 'tokens:write');
  const make = (as: string, path: string, json: object) => call('POST', path, { as, json, headers: key('a') });
  assert.equal((await make(admin, '/api/rooms', { name: 'one' })).status, 201);
  assert.equal((await make(other, '/api/rooms', { name: 'two' })).status, 201);
  assert.equal((await make(other, '/api/rooms/two/tokens', { user: 'u', role: 'viewer' })).status, 201);
});

test('the secret of an answer that is kept is sealed', async () => {
  const { call, admin, store } = await someApi();
  const json = { name: 'x', scopes: ['rooms:read'] };
  const made = await call('POST', '/api/keys', { as: admin, json, headers: key('a') });
  const again = await call('POST', '/api/keys', { as: admin, json, headers: key('a') });
  assert.equal(again.json.key, made.json.key);
  assert.ok(!JSON.stringify(await store.list('idempotency')).includes(made.json.key));
});

test('every read has an ETag that holds while nothing changes', async () => {
  const { call, admin, rooms } = await someApi();
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const alice = room.join({ kind: 'webrtc', user: 'a', displayName: 'a', role: 'viewer' });
  for (const path of ['/api/rooms', `/api/rooms/demo/participants/${alice.id}`, '/api/keys']) {
    const { headers } = await call('GET', path, { as: admin });
    const etag = headers.get('etag') ?? '';
    assert.match(etag, /^"[\w-]+"$/, path);
    const same = await call('GET', path, { as: admin, headers: { 'if-none-match': `"x", W/${etag}` } });
    assert.deepEqual([same.status, same.text, same.headers.get('etag')], [304, '', etag]);
  }
});

test('If-Match of who may change but not read refuses the change, where it would have been made whatever it says', async () => {
  const { call, auth, rooms, admin } = await someApi();
  await rooms.create({ name: 'demo' });
  const { key } = await auth.keys.create({ name: 'writer', scopes: ['rooms:write'] });
  const made = await call('POST', '/api/stream-keys', { as: admin, json: { room: 'demo', name: 'OBS' } });
  const path = `/api/stream-keys/${made.json.id}`;
  const headers = { 'if-match': '"another"' };
  const blind = await call('PATCH', path, { as: key, json: { name: 'Other' }, headers });
  assert.deepEqual([blind.status, /If-Match/.test(blind.json.detail)], [403, true]);
  assert.equal((await call('GET', path, { as: admin })).json.name, 'OBS');
  assert.equal((await call('PATCH', path, { as: key, json: { name: 'Other' } })).status, 200);
  // Its handler knows the revision.
  assert.equal((await call('PATCH', '/api/rooms/demo', { as: key, json: { lastN: 3 }, headers })).status, 412);
});

test('If-Match refuses a change of what has changed, also where nothing counts revisions', async () => {
  const { call, admin, rooms } = await someApi();
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const alice = room.join({ kind: 'webrtc', user: 'a', displayName: 'a', role: 'viewer' });
  const path = `/api/rooms/demo/participants/${alice.id}`;
  const etag = (await call('GET', path, { as: admin })).headers.get('etag') ?? '';
  const patch = (json: object, match: string) =>
    call('PATCH', path, { as: admin, json, headers: { 'if-match': match } });
  assert.equal((await patch({ displayName: 'b' }, etag)).status, 200);
  assert.equal((await patch({ displayName: 'c' }, etag)).status, 412);
  assert.equal((await patch({ displayName: 'c' }, '*')).status, 200);
  assert.equal((await call('DELETE', path, { as: admin, headers: { 'if-match': etag } })).status, 412);
  assert.ok(!alice.isClosed);
});

test('lists are filtered before they are paged', async () => {
  const { call, admin, rooms } = await someApi();
  for (let n = 0; n < 230; n++) await rooms.create({ name: `${n % 2 ? 'odd' : 'even'}-${n}` });
  await rooms.open('odd-1');
  const names: string[] = [];
  for (let after = ''; ; ) {
    const { json } = await call('GET', `/api/rooms?name=ODD&limit=40${after}`, { as: admin });
    names.push(...json.items.map(({ name }: { name: string }) => name));
    if (json.next === null) break;
    after = `&after=${json.next}`;
  }
  assert.deepEqual([names.length, new Set(names).size], [115, 115]);
  assert.ok(names.every((name) => name.startsWith('odd')));
  const active = (await call('GET', '/api/rooms?isActive=true', { as: admin })).json;
  assert.deepEqual([active.items.map(({ name }: { name: string }) => name), active.next], [['odd-1'], null]);
});
