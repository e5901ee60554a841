// Where credentials come from and what a join token may; authorization-matrix.test.ts has every route.
import { strict as assert } from 'node:assert';
import { describe, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

async function someCallers() {
  const api = await someApi();
  const { rooms, tokenFor } = api;
  await rooms.create({ name: 'demo' });
  await rooms.create({ name: 'other' });
  const alice = await joinAndPublish(await rooms.open('demo'), 'alice');
  const credentials = { viewer: await tokenFor('demo', 'viewer'), moderator: await tokenFor('demo', 'moderator') };
  return { ...api, alice, credentials };
}

describe('a join token', () => {
  test('reads and moderates its room by id as by name', async () => {
    const { call, rooms, credentials, alice } = await someCallers();
    const { id } = (await rooms.get('demo')).record;
    const path = `/api/rooms/${id}/participants/${alice.participant.id}`;
    const { status } = await call('PATCH', path, { as: credentials.moderator, json: { isMuted: { audio: true } } });
    assert.equal(status, 200);
    assert.ok(alice.audio.isMutedByModerator);
    assert.equal((await call('DELETE', path, { as: credentials.moderator })).status, 204);
    assert.ok(alice.participant.isClosed);
  });

  test('does not tell rooms that are from rooms that are not', async () => {
    const { call, credentials } = await someCallers();
    const answers = ['other', 'nowhere'].map((room) =>
      call('GET', `/api/rooms/${room}/participants`, { as: credentials.viewer }),
    );
    const [other, nowhere] = await Promise.all(answers);
    assert.deepEqual([other?.status, other?.json.detail], [403, nowhere?.json.detail]);
  });

  test('whose role the room no longer has may not moderate', async () => {
    const { call, rooms, credentials, alice } = await someCallers();
    const [, ...others] = (await rooms.get('demo')).record.roles;
    await rooms.update('demo', { roles: others });
    const path = `/api/rooms/demo/participants/${alice.participant.id}`;
    assert.equal((await call('DELETE', path, { as: credentials.moderator })).status, 403);
    assert.ok(!alice.participant.isClosed);
  });
});

describe('the credential', () => {
  test.each<[string, (key: string) => Record<string, string>, number]>([
    ['Authorization: Bearer', (key) => ({ authorization: `Bearer ${key}` }), 200],
    ['authorization in other case', (key) => ({ authorization: `bearer ${key}` }), 200],
    ['X-Auth-Token', (key) => ({ 'x-auth-token': key }), 200],
    ['Basic', (key) => ({ authorization: `Basic ${btoa(`:${key}`)}` }), 401],
    ['no scheme', (key) => ({ authorization: key }), 401],
    ['a cookie', (key) => ({ cookie: `token=${key}` }), 401],
  ])('comes by %s: %s', async (_how, headers, status) => {
    const { call, admin } = await someApi();
    assert.equal((await call('GET', '/api/rooms', { headers: headers(admin) })).status, status);
  });

  test('in the query is not read, so that it does not end in logs', async () => {
    const { call, admin } = await someApi();
    assert.equal((await call('GET', `/api/rooms?token=${admin}&access_token=${admin}`)).status, 401);
  });

  test('is asked for below /api also where there is nothing, and 401 names the scheme', async () => {
    const { call, admin } = await someApi();
    const { status, headers } = await call('GET', '/api/secret-feature');
    assert.deepEqual([status, headers.get('www-authenticate')], [401, 'Bearer realm="switchyard"']);
    assert.equal((await call('GET', '/api/secret-feature', { as: admin })).status, 404);
    assert.equal((await call('PUT', '/api/rooms', {})).status, 401);
  });
});
