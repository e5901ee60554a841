// Tokens that applications sign by themselves, and what may be taken back.
import { strict as assert } from 'node:assert';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, SignJWT } from 'jose';
import { afterEach, describe, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { partyOf, type Scope } from '#core/grants.ts';
import type { Participant } from '#core/participant.ts';
import type { Room } from '#core/room.ts';
import { someApi } from '#test/support/some-api.ts';
import type { Auth } from './auth.ts';

const fails = (code: string, words: RegExp) => (thrown: unknown) =>
  thrown instanceof GatewayError && thrown.code === code && words.test(thrown.message);

let folder: string | undefined;
afterEach(() => {
  if (folder) rmSync(folder, { recursive: true });
  folder = undefined;
});

async function someSigner(scopes: Scope[]) {
  const api = await someApi();
  await api.rooms.create({ name: 'demo' });
  await api.rooms.create({ name: 'other' });
  const { key, info } = await api.auth.keys.create({ name: 'app', scopes });
  const sign = (claims: object, expires = '5m', secret = key) =>
    new SignJWT({ sub: 'alice', ...claims })
      .setProtectedHeader({ alg: 'HS256', kid: info.id })
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(secret));
  return { ...api, key, info, sign };
}

async function joinWith(auth: Auth, room: Room, token: string): Promise<Participant> {
  return room.join({ kind: 'webrtc', ...partyOf(await auth.authorizeJoin(token, room.name)) });
}

describe('a token signed with an API key', () => {
  test('lets its user into the rooms that it names, by name or id, with a role', async () => {
    const { auth, rooms, sign } = await someSigner(['tokens:write']);
    const { id } = (await rooms.get('demo')).record;
    for (const named of [{ room: 'DEMO' }, { rooms: [id] }, { rooms: ['other', 'demo'] }, { room: '*' }]) {
      const grant = await auth.authorizeJoin(await sign({ ...named, role: 'viewer', name: 'Alice' }), 'demo');
      assert.deepEqual([grant.room, grant.user, grant.displayName, grant.role], [id, 'alice', 'Alice', 'viewer']);
    }
    const token = await sign({ room: 'other' });
    await assert.rejects(auth.authorizeJoin(token, 'demo'), fails('forbidden', /another room/));
    await assert.rejects(auth.authorizeJoin(token, 'nowhere'), fails('forbidden', /another room/));
  });

  test('takes away kinds from what the role gives, also after a change of role', async () => {
    const { auth, rooms, sign } = await someSigner(['tokens:write']);
    const room = await rooms.open('demo');
    const token = await sign({ room: 'demo', role: 'presenter', publish: ['audio'], subscribe: ['video'] });
    const alice = await joinWith(auth, room, token);
    assert.deepEqual(alice.permissions.publish, { audio: true, video: false, data: false });
    alice.update({ role: 'moderator' });
    assert.ok(alice.permissions.moderate);
    assert.deepEqual(alice.permissions.subscribe, { audio: false, video: true, data: false });
  });

  test('gives scopes, but none that the key lacks', async () => {
    const { call, sign } = await someSigner(['rooms:read', 'events:read']);
    assert.equal((await call('GET', '/api/rooms', { as: await sign({ scopes: ['rooms:read'] }) })).status, 200);
    assert.equal((await call('GET', '/api/events', { as: await sign({ scopes: ['rooms:read'] }) })).status, 403);
    const greedy = await call('GET', '/api/rooms', { as: await sign({ scopes: ['rooms:read', 'admin'] }) });
    assert.deepEqual([greedy.status, /may not give admin/.test(greedy.json.detail)], [401, true]);
    const joining = await call('GET', '/api/rooms/demo/streams', { as: await sign({ room: 'demo' }) });
    assert.match(joining.json.detail, /lacks tokens:write/);
  });

  test('dies with its key, and outlives a rotation for as long as that says', async () => {
    const { auth, call, sign, info, admin } = await someSigner(['tokens:write']);
    const token = await sign({ room: 'demo' });
    const path = `/api/keys/${info.id}`;
    const rotated = await call('POST', `${path}/rotate`, { as: admin, json: { keepOldMs: 60_000 } });
    assert.equal(rotated.status, 200);
    await auth.authenticate(token);
    await auth.authenticate(await sign({ room: 'demo' }, '5m', rotated.json.key));
    await call('POST', `${path}/rotate`, { as: admin, json: {} });
    await assert.rejects(auth.authenticate(token), fails('unauthorized', /nobody who is known/));
    const { key } = (await call('POST', `${path}/rotate`, { as: admin, json: {} })).json;
    const fresh = await sign({ room: 'demo' }, '5m', key);
    await auth.authenticate(fresh);
    await call('DELETE', path, { as: admin });
    await assert.rejects(auth.authenticate(fresh), fails('unauthorized', /nobody who is known/));
  });

  test('names an avatar by its picture, and lets in whose issuer has something else in that', async () => {
    const { auth, sign } = await someSigner(['tokens:write']);
    const avatarOf = async (picture: unknown) => {
      const { user, avatarUrl } = await auth.authorizeJoin(await sign({ room: 'demo', picture }), 'demo');
      return [user, avatarUrl];
    };
    assert.deepEqual(await avatarOf('https://id.example/alice.png'), ['alice', 'https://id.example/alice.png']);
    for (const other of [null, { href: 'x' }, `data:image/png;base64,${'A'.repeat(3_000)}`]) {
      assert.deepEqual(await avatarOf(other), ['alice', undefined]);
    }
  });

  test('says which claim does not fit', async () => {
    const { auth, sign } = await someSigner(['tokens:write']);
    for (const [claims, words] of [
      [{ room: 7 }, /"room"/],
      [{ rooms: [] }, /"rooms"/],
      [{ room: 'demo', publish: ['smell'] }, /"publish\.0"/],
      [{ scopes: ['root'] }, /"scopes\.0"/],
    ] as const) {
      await assert.rejects(auth.authenticate(await sign(claims)), fails('unauthorized', words));
    }
    await assert.rejects(auth.authenticate(await sign({ room: 'demo' }, '31d')), fails('unauthorized', /30 days/));
    const later = Math.floor(Date.now() / 1_000) + 60;
    await assert.rejects(auth.authenticate(await sign({ nbf: later })), fails('unauthorized', /not good yet/));
    await assert.rejects(
      auth.authenticate(await sign({ sub: undefined })),
      fails('unauthorized', /lacks the claim "sub"/),
    );
    await assert.rejects(auth.authenticate(await sign({ nbf: 'soon' })), fails('unauthorized', /claim "nbf"/));
    // Of a signature that is none nothing is told.
    const forged = await sign({ nbf: later }, '5m', 'another secret of somebody, long enough');
    await assert.rejects(auth.authenticate(forged), fails('unauthorized', /nobody who is known/));
  });
});

test('tokens of an issuer are taken by the keys of its JWKS file, within the scopes it was given', async () => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-jwks-'));
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwksFile = join(folder, 'jwks.json');
  writeFileSync(jwksFile, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] }));
  const issuer = {
    issuer: 'https://id.example',
    audience: 'switchyard',
    jwksFile,
    scopes: ['tokens:write', 'rooms:read'],
  };
  const { auth, rooms, call } = await someApi({ config: { auth: { issuers: [issuer] } } });
  await rooms.create({ name: 'demo' });
  const sign = (claims: object, { kid = 'one', iss = 'https://id.example', aud = 'switchyard' } = {}) =>
    new SignJWT({ sub: 'alice', iss, aud, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setExpirationTime('5m')
      .sign(privateKey);
  assert.equal((await auth.authorizeJoin(await sign({ room: 'demo' }), 'demo')).user, 'alice');
  assert.equal((await call('GET', '/api/rooms', { as: await sign({ scopes: ['rooms:read'] }) })).status, 200);
  for (const token of [
    await sign({ scopes: ['admin'] }),
    await sign({ room: 'demo' }, { kid: 'two' }),
    await sign({ room: 'demo' }, { iss: 'https://evil.example' }),
    await sign({ room: 'demo' }, { aud: 'another' }),
  ]) {
    await assert.rejects(auth.authenticate(token), fails('unauthorized', /./));
  }
  const elsewhere = await sign({ room: 'demo' }, { aud: 'another' });
  await assert.rejects(auth.authenticate(elsewhere), fails('unauthorized', /claim "aud"/));
});

describe('a join token', () => {
  test('of somebody who was removed does not let it in again, unless it may return', async () => {
    const { call, auth, rooms, admin, tokenFor } = await someApi();
    await rooms.create({ name: 'demo' });
    const room = await rooms.open('demo');
    const remove = ({ id }: Participant, query = '') =>
      call('DELETE', `/api/rooms/demo/participants/${id}${query}`, { as: admin });
    const token = await tokenFor('demo', 'viewer');
    await remove(await joinWith(auth, room, token), '?mayReturn=true');
    await remove(await joinWith(auth, room, token));
    await assert.rejects(auth.authorizeJoin(token, 'demo'), fails('unauthorized', /removed you/));
    // Another invitation is another matter.
    await joinWith(auth, room, await tokenFor('demo', 'viewer'));
  });

  test('that is good once opens once, also for two at the same moment', async () => {
    const { call, auth, rooms, admin } = await someApi();
    await rooms.create({ name: 'demo' });
    const room = await rooms.open('demo');
    const json = { user: 'guest', role: 'viewer', once: true, publish: [], subscribe: ['audio'] };
    const { token } = (await call('POST', '/api/rooms/demo/tokens', { as: admin, json })).json;
    const [one, two] = [await auth.authorizeJoin(token, 'demo'), await auth.authorizeJoin(token, 'demo')];
    const first = room.join({ kind: 'webrtc', ...partyOf(one) });
    const second = room.join({ kind: 'webrtc', ...partyOf(two) });
    assert.deepEqual([first.isClosed, second.isClosed], [false, true]);
    assert.deepEqual(first.permissions.subscribe, { audio: true, video: false, data: false });
    await assert.rejects(auth.authorizeJoin(token, 'demo'), fails('unauthorized', /has been used/));
  });

  test('is revoked by its id, and stays so after a restart', async () => {
    const { call, auth, rooms, admin, store, config, log, secrets } = await someApi();
    await rooms.create({ name: 'demo' });
    const json = { user: 'guest', role: 'viewer' };
    const made = (await call('POST', '/api/rooms/demo/tokens', { as: admin, json })).json;
    await auth.authorizeJoin(made.token, 'demo');
    assert.equal((await call('DELETE', `/api/tokens/${made.id}`, { as: admin })).status, 204);
    await assert.rejects(auth.authorizeJoin(made.token, 'demo'), fails('unauthorized', /was revoked/));
    const { Auth: Again } = await import('./auth.ts');
    const failures = { check: () => undefined, consume: () => undefined } as never;
    const again = await Again.create({ store, rooms, config: config.auth, failures, secrets, log });
    await assert.rejects(again.authorizeJoin(made.token, 'demo'), fails('unauthorized', /was revoked/));
  });
});

test('a change of the room’s roles holds at once for who has them', async () => {
  const { rooms } = await someApi();
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const viewer = room.join({ kind: 'webrtc', user: 'v', displayName: 'v', role: 'viewer' });
  const special = room.join({ kind: 'webrtc', user: 's', displayName: 's', role: 'viewer' });
  special.setPermissions({ ...special.permissions, chat: false });
  const { roles } = (await rooms.get('demo')).record;
  await rooms.update('demo', {
    roles: roles.map((role) => (role.role === 'viewer' ? { ...role, moderate: true } : role)),
  });
  assert.deepEqual([viewer.permissions.moderate, special.permissions.moderate], [true, false]);
});

test('a key hands on no more than it may itself', async () => {
  const { call, keyWith, auth, admin } = await someApi();
  const key = await keyWith('keys:write', 'keys:read', 'rooms:read');
  const make = (scopes: string[]) => call('POST', '/api/keys', { as: key, json: { name: 'x', scopes } });
  assert.equal((await make(['rooms:read'])).status, 201);
  assert.equal((await make(['rooms:read', 'rooms:write'])).status, 403);
  assert.equal((await make(['admin'])).status, 403);
  const root = (await auth.keys.create({ name: 'root', scopes: ['admin'] })).info.id;
  assert.equal((await call('POST', `/api/keys/${root}/rotate`, { as: key, json: {} })).status, 403);
  assert.equal((await call('PATCH', `/api/keys/${root}`, { as: key, json: { scopes: ['rooms:read'] } })).status, 403);
  const changed = await call('PATCH', `/api/keys/${root}`, {
    as: admin,
    json: { scopes: ['rooms:read'], name: 'less' },
  });
  assert.deepEqual([changed.json.scopes, changed.json.name], [['rooms:read'], 'less']);
});

test('who changed what is written down, done or refused', async () => {
  const { call, keyWith, admin } = await someApi();
  const key = await keyWith('rooms:write', 'audit:read');
  await call('POST', '/api/rooms', { as: key, json: { name: 'demo' } });
  await call('POST', '/api/rooms', { as: key, json: { name: 'demo' } });
  await call('GET', '/api/rooms', { as: admin });
  const { items } = (await call('GET', '/api/audit?action=createRoom', { as: key })).json;
  assert.deepEqual(
    items.map(({ action, status, name, target }: Record<string, unknown>) => [action, status, name, target]),
    [
      ['createRoom', 201, 'rooms:write,audit:read', '/api/rooms'],
      ['createRoom', 409, 'rooms:write,audit:read', '/api/rooms'],
    ],
  );
  assert.match(items[0].actor, /^key:\w{12}$/);
  const rest = await call('GET', `/api/audit?limit=1&after=${items[0].id}`, { as: key });
  assert.equal(rest.json.items[0].id, items[1].id);
  const backwards = async (query: string) =>
    (await call('GET', `/api/audit?action=createRoom&order=newest&limit=1${query}`, { as: key })).json;
  const last = await backwards('');
  assert.deepEqual([last.items[0].id, last.next], [items[1].id, items[1].id]);
  assert.deepEqual((await backwards(`&after=${last.next}`)).items[0].id, items[0].id);
  assert.deepEqual((await backwards('&after=AU_none')).items, []);
  assert.equal((await call('GET', '/api/audit?after=none', { as: key })).status, 400);
});
