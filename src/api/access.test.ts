// The authorization matrix: every route that is declared against every kind of credential.
import { strict as assert } from 'node:assert';
import { describe, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

type Caller = 'nobody' | 'other room' | 'viewer' | 'moderator' | 'reader' | 'tokens' | 'metrics' | 'writer' | 'admin';
const callers: readonly Caller[] = [
  'nobody',
  'other room',
  'viewer',
  'moderator',
  'reader',
  'tokens',
  'metrics',
  'writer',
  'admin',
];

const everybody = callers;
const known = callers.filter((caller) => caller !== 'nobody');
const readers: readonly Caller[] = ['reader', 'admin'];
const writers: readonly Caller[] = ['writer', 'admin'];
const inRoom: readonly Caller[] = ['viewer', 'moderator', ...readers];
const moderating: readonly Caller[] = ['moderator', ...writers];

/** Who gets past the gate. Everybody else is refused: 401 without a credential, 403 with one. */
const matrix: Readonly<Record<string, readonly Caller[]>> = {
  'GET /api/rooms': readers,
  'POST /api/rooms': writers,
  'GET /api/rooms/{room}': readers,
  'PATCH /api/rooms/{room}': writers,
  'DELETE /api/rooms/{room}': writers,
  'GET /api/rooms/{room}/participants': inRoom,
  'GET /api/rooms/{room}/participants/{participant}': inRoom,
  'PATCH /api/rooms/{room}/participants/{participant}': moderating,
  'DELETE /api/rooms/{room}/participants/{participant}': moderating,
  'GET /api/rooms/{room}/streams': inRoom,
  'GET /api/rooms/{room}/streams/{stream}': inRoom,
  'PATCH /api/rooms/{room}/streams/{stream}': moderating,
  'DELETE /api/rooms/{room}/streams/{stream}': moderating,
  'POST /api/rooms/{room}/tokens': ['tokens', 'admin'],
  'GET /api/rooms/{room}/messages': readers,
  'POST /api/rooms/{room}/messages': writers,
  'GET /api/rooms/{room}/stats': inRoom,
  'GET /api/rooms/{room}/streaming-ins': readers,
  'POST /api/rooms/{room}/streaming-ins': writers,
  'GET /api/rooms/{room}/streaming-ins/{streamingIn}': readers,
  'PATCH /api/rooms/{room}/streaming-ins/{streamingIn}': writers,
  'DELETE /api/rooms/{room}/streaming-ins/{streamingIn}': writers,
  'GET /api/rooms/{room}/sipcalls': readers,
  'POST /api/rooms/{room}/sipcalls': writers,
  'GET /api/rooms/{room}/sipcalls/{sipCall}': readers,
  'PATCH /api/rooms/{room}/sipcalls/{sipCall}': writers,
  'DELETE /api/rooms/{room}/sipcalls/{sipCall}': writers,
  'GET /api/stream-keys': readers,
  'POST /api/stream-keys': writers,
  'GET /api/stream-keys/{streamKey}': readers,
  'DELETE /api/stream-keys/{streamKey}': writers,
  'GET /api/jobs': readers,
  'GET /api/jobs/{job}': readers,
  'GET /api/keys': ['admin'],
  'POST /api/keys': ['admin'],
  'DELETE /api/keys/{key}': ['admin'],
  'POST /api/login': everybody,
  'POST /api/logout': known,
  'GET /api/me': known,
  'GET /api/server': readers,
  'GET /metrics': ['metrics', 'admin'],
  'GET /health': everybody,
  'GET /ready': everybody,
};

async function someCallers() {
  const api = await someApi();
  const { rooms, tokenFor, keyWith, admin } = api;
  await rooms.create({ name: 'demo' });
  await rooms.create({ name: 'other' });
  const alice = await joinAndPublish(await rooms.open('demo'), 'alice');
  const credentials: Record<Caller, string | undefined> = {
    nobody: undefined,
    'other room': await tokenFor('other', 'moderator'),
    viewer: await tokenFor('demo', 'viewer'),
    moderator: await tokenFor('demo', 'moderator'),
    reader: await keyWith('rooms:read'),
    tokens: await keyWith('tokens:write'),
    metrics: await keyWith('metrics:read'),
    writer: await keyWith('rooms:write'),
    admin,
  };
  return { ...api, alice, credentials };
}

test('the matrix has every route that is declared, and no other', async () => {
  const { contract } = await someApi();
  const declared = contract.routes.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  assert.deepEqual(declared.sort(), Object.keys(matrix).sort());
});

describe.each(Object.entries(matrix))('%s', (route, allowed) => {
  test(`lets in ${allowed.join(', ') || 'nobody'} and refuses all others before it looks at the request`, async () => {
    const { call, credentials, alice } = await someCallers();
    const [method = '', pattern = ''] = route.split(' ');
    for (const caller of callers) {
      const path = pattern
        .replace('{room}', 'demo')
        .replace('{participant}', alice.participant.id)
        .replace('{stream}', alice.video.id)
        .replace('{key}', 'none');
      const before = JSON.stringify([alice.participant.isClosed, alice.video.isClosed, alice.video.isMuted]);
      // A body that fits nothing: who gets in is told so (or it does not matter), who does not never learns it.
      const body = ['POST', 'PATCH'].includes(method) ? { json: { nonsense: true } } : {};
      const isDestructive = method === 'DELETE' && allowed.includes(caller);
      const target = isDestructive ? path.replace(/[^/]+$/, 'none') : path;
      const { status } = await call(method, target, { as: credentials[caller], ...body });
      const expected = allowed.includes(caller) ? 'let in' : caller === 'nobody' ? 401 : 403;
      const actual = status === 401 && route !== 'POST /api/login' ? 401 : status === 403 ? 403 : 'let in';
      assert.equal(actual, expected, `${caller}: ${status}`);
      assert.equal(JSON.stringify([alice.participant.isClosed, alice.video.isClosed, alice.video.isMuted]), before);
    }
  });
});

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
