import { strict as assert } from 'node:assert';
import { describe, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

const patchType = { 'content-type': 'application/merge-patch+json' };

describe('POST /api/rooms', () => {
  test('makes a room with the defaults of the configuration, and says where it is', async () => {
    const { call, admin, rooms } = await someApi();
    const { status, json, headers } = await call('POST', '/api/rooms', { as: admin, json: { name: 'Demo' } });
    assert.equal(status, 201);
    assert.equal(headers.get('location'), `/api/rooms/${json.id}`);
    assert.equal(headers.get('etag'), '"1"');
    assert.deepEqual([json.name, json.displayName, json.maxParticipants, json.lastN], ['Demo', 'Demo', -1, -1]);
    assert.deepEqual([json.isActive, json.participantCount], [false, 0]);
    assert.equal(json.roles.length, 6);
    assert.equal((await rooms.get('demo')).record.id, json.id);
  });

  test('takes every setting', async () => {
    const { call, admin } = await someApi();
    const all = { audio: true, video: true, data: false };
    const input = {
      name: 'school',
      displayName: 'School',
      maxParticipants: 5,
      inputLimit: 6,
      lastN: 4,
      emptyTimeoutMs: 1_000,
      roles: [{ role: 'teacher', publish: all, subscribe: all, chat: true, moderate: true }],
      metadata: { course: 'maths' },
    };
    const { json } = await call('POST', '/api/rooms', { as: admin, json: input });
    for (const [setting, value] of Object.entries(input)) assert.deepEqual(json[setting], value);
  });

  test('of a name that is taken is a conflict, whatever its case', async () => {
    const { call, admin } = await someApi();
    await call('POST', '/api/rooms', { as: admin, json: { name: 'demo' } });
    const { status, json } = await call('POST', '/api/rooms', { as: admin, json: { name: 'DEMO' } });
    assert.deepEqual([status, json.code], [409, 'conflict']);
  });

  test.each<[string, unknown, string[]]>([
    ['no name', {}, ['name']],
    ['a name with a slash', { name: 'a/b' }, ['name']],
    ['a name of 65', { name: 'x'.repeat(65) }, ['name']],
    ['a name that is a number', { name: 7 }, ['name']],
    ['unknown keys', { name: 'a', colour: 1, id: 'RM_mine' }, ['colour', 'id']],
    ['limits below -1 or broken', { name: 'a', maxParticipants: -2, lastN: 1.5 }, ['maxParticipants', 'lastN']],
    ['a timeout of 0', { name: 'a', emptyTimeoutMs: 0 }, ['emptyTimeoutMs']],
    ['no role at all', { name: 'a', roles: [] }, ['roles']],
    ['two roles of one name', { name: 'a', roles: [{ role: 'x' }, { role: 'x' }] }, ['roles']],
    [
      'a role with odd parts',
      { name: 'a', roles: [{ role: 'x', publish: { sound: true } }] },
      ['roles.0.publish.sound'],
    ],
    ['metadata that is no text', { name: 'a', metadata: { a: 1 } }, ['metadata.a']],
    ['an array', [{ name: 'a' }], ['']],
    ['null', null, ['']],
    ['a text', 'demo', ['']],
  ])('with %s names the fields', async (_what, json, paths) => {
    const { call, admin } = await someApi();
    const answer = await call('POST', '/api/rooms', { as: admin, json });
    assert.deepEqual([answer.status, answer.json.code], [400, 'invalid_request']);
    assert.deepEqual(
      answer.json.errors.map(({ path }: { path: string }) => path),
      paths,
    );
  });
});

describe('GET /api/rooms', () => {
  test('goes through all rooms page by page', async () => {
    const { call, admin, rooms } = await someApi();
    for (let i = 0; i < 25; i++) await rooms.create({ name: `room-${i}` });
    const names: string[] = [];
    let next = '';
    let pages = 0;
    do {
      const { json } = await call('GET', `/api/rooms?limit=10${next && `&after=${next}`}`, { as: admin });
      names.push(...json.items.map(({ name }: { name: string }) => name));
      next = json.next;
      pages++;
    } while (next !== null);
    assert.equal(pages, 3);
    assert.deepEqual(names.sort(), Array.from({ length: 25 }, (_, i) => `room-${i}`).sort());
  });

  test('of exactly one page has no next', async () => {
    const { call, admin, rooms } = await someApi();
    for (let i = 0; i < 5; i++) await rooms.create({ name: `room-${i}` });
    const { json } = await call('GET', '/api/rooms?limit=5', { as: admin });
    assert.deepEqual([json.items.length, json.next], [5, null]);
    assert.deepEqual((await call('GET', '/api/rooms?after=RM_zzzz', { as: admin })).json, { items: [], next: null });
    const foreign = await call('GET', '/api/rooms?after=EV_000000000042_k3Jx9a', { as: admin });
    assert.deepEqual([foreign.status, foreign.json.errors[0].path], [400, 'after']);
  });

  test.each(['limit=0', 'limit=501', 'limit=x', 'limit=1e9', 'limit=-1', 'limit=1.5', `after=${'x'.repeat(129)}`])(
    '?%s is refused by name',
    async (query) => {
      const { call, admin } = await someApi();
      const { status, json } = await call('GET', `/api/rooms?${query}`, { as: admin });
      assert.equal(status, 400);
      assert.equal(json.errors[0].path, query.split('=')[0]);
    },
  );
});

describe('GET /api/rooms/{room}', () => {
  test('finds it by id and by name in any case, and counts who is there', async () => {
    const { call, admin, rooms } = await someApi();
    const { record } = await rooms.create({ name: 'Demo' });
    const room = await rooms.open('demo');
    await joinAndPublish(room, 'alice');
    room.join({ kind: 'bot', user: 'x', displayName: 'x', role: 'viewer', isHidden: true });
    for (const named of [record.id, 'demo', 'DEMO']) {
      const { json } = await call('GET', `/api/rooms/${named}`, { as: admin });
      assert.deepEqual([json.id, json.isActive, json.participantCount], [record.id, true, 1]);
    }
  });

  test('answers 304 to who has it already', async () => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    const get = (tag: string) => call('GET', '/api/rooms/demo', { as: admin, headers: { 'if-none-match': tag } });
    for (const tag of ['"1"', 'W/"1"', '"0", "1"', '*']) assert.equal((await get(tag)).status, 304);
    for (const tag of ['"2"', '1', '']) assert.equal((await get(tag)).status, 200);
  });

  test.each(['nowhere', 'RM_000000000000', '%00', '..%2f..%2fetc', '__proto__', 'x'.repeat(128)])(
    'of %s, which is not, is not found',
    async (room) => {
      const { call, admin } = await someApi();
      const { status, json } = await call('GET', `/api/rooms/${room}`, { as: admin });
      assert.deepEqual([status, json.code], [404, 'not_found']);
    },
  );
});

describe('PATCH /api/rooms/{room}', () => {
  test('changes what it names and no more, for the room in use at once', async () => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo', displayName: 'Demo', metadata: { a: '1', b: '2' } });
    const room = await rooms.open('demo');
    const json = { name: 'renamed', lastN: 3, metadata: { b: null, c: '3' } };
    const answer = await call('PATCH', '/api/rooms/demo', { as: admin, json, headers: patchType });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('etag'), '"2"');
    assert.deepEqual(
      [answer.json.name, answer.json.displayName, answer.json.lastN, answer.json.metadata],
      ['renamed', 'Demo', 3, { a: '1', c: '3' }],
    );
    assert.equal(room.record.lastN, 3);
    assert.equal((await call('GET', '/api/rooms/renamed', { as: admin })).status, 200);
    assert.equal((await call('GET', '/api/rooms/demo', { as: admin })).status, 404);
  });

  test('with null goes back to the default', async () => {
    const { call, admin, rooms } = await someApi({ config: { rooms: { lastN: 9 } } });
    await rooms.create({
      name: 'demo',
      displayName: 'X',
      lastN: 3,
      maxParticipants: 2,
      metadata: { a: '1' },
      roles: [],
    });
    const json = { displayName: null, lastN: null, maxParticipants: null, metadata: null, roles: null };
    const answer = await call('PATCH', '/api/rooms/demo', { as: admin, json });
    const { displayName, lastN, maxParticipants, metadata, roles } = answer.json;
    assert.deepEqual([displayName, lastN, maxParticipants, metadata, roles.length], ['demo', 9, -1, {}, 6]);
  });

  test('with If-Match of another revision changes nothing and is 412', async () => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    const patch = (tag: string, lastN: number) =>
      call('PATCH', '/api/rooms/demo', { as: admin, json: { lastN }, headers: { 'if-match': tag } });
    assert.equal((await patch('"1"', 1)).status, 200);
    for (const tag of ['"1"', 'W/"2"', '2', '"9", "8"']) {
      const { status, json } = await patch(tag, 7);
      assert.deepEqual([status, json.code], [412, 'precondition_failed']);
    }
    assert.equal((await patch('"5", "2"', 2)).status, 200);
    assert.equal((await patch('*', 3)).status, 200);
    assert.equal((await rooms.get('demo')).record.lastN, 3);
  });

  test('to a name that is taken is a conflict; to its own in other case is fine', async () => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    await rooms.create({ name: 'other' });
    assert.equal((await call('PATCH', '/api/rooms/demo', { as: admin, json: { name: 'Other' } })).status, 409);
    assert.equal((await call('PATCH', '/api/rooms/demo', { as: admin, json: { name: 'DEMO' } })).json.name, 'DEMO');
  });

  test.each<[string, unknown, string]>([
    ['null for the name', { name: null }, 'name'],
    ['an unknown key', { colour: null }, 'colour'],
    ['the id', { id: 'RM_x' }, 'id'],
    [
      'too many metadata',
      { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, 'v'])) },
      'metadata',
    ],
    ['deep metadata', { metadata: { a: { b: 'c' } } }, 'metadata.a'],
  ])('with %s is refused by name', async (_what, json, path) => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    const answer = await call('PATCH', '/api/rooms/demo', { as: admin, json });
    assert.equal(answer.status, 400);
    assert.equal(answer.json.errors[0].path, path);
  });

  test('of a room that is not is not found', async () => {
    const { call, admin } = await someApi();
    assert.equal((await call('PATCH', '/api/rooms/nowhere', { as: admin, json: {} })).status, 404);
  });
});

describe('DELETE /api/rooms/{room}', () => {
  test('ends it for everybody in it, once', async () => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    const room = await rooms.open('demo');
    const { participant } = await joinAndPublish(room, 'alice');
    const { status, text } = await call('DELETE', '/api/rooms/demo', { as: admin });
    assert.deepEqual([status, text], [204, '']);
    assert.ok(room.isClosed && participant.isClosed);
    assert.equal((await call('DELETE', '/api/rooms/demo', { as: admin })).status, 404);
  });

  test('with If-Match of another revision keeps it', async () => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    const remove = (tag: string) => call('DELETE', '/api/rooms/demo', { as: admin, headers: { 'if-match': tag } });
    assert.equal((await remove('"2"')).status, 412);
    assert.equal((await remove('"1"')).status, 204);
  });
});
