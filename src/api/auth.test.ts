import { strict as assert } from 'node:assert';
import { createHmac } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterEach, describe, test, vi } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { someApi } from '#test/support/some-api.ts';
import { someRooms } from '#test/support/some-room.ts';
import { someSecrets } from '#test/support/some-secrets.ts';
import { Auth } from './auth.ts';
import { MemoryRateLimiter } from './rate-limiter.ts';
import { loadSigningKey } from './signing-key.ts';

afterEach(() => {
  vi.useRealTimers();
});

const fails =
  (code: string, words = /./) =>
  (thrown: unknown) =>
    thrown instanceof GatewayError && thrown.code === code && words.test(thrown.message);

async function someAuth(options: { adminKey?: string; failures?: number } = {}) {
  const made = someRooms();
  const failures = new MemoryRateLimiter({
    points: options.failures ?? 1e6,
    windowMs: 60_000,
    what: 'wrong credentials',
  });
  const config = { adminKey: options.adminKey, tokenTtlMs: 60_000, sessionTtlMs: 60_000, issuers: [] };
  const secrets = someSecrets();
  const create = () => Auth.create({ ...made, config, failures, secrets });
  const auth = await create();
  const room = (await made.rooms.create({ name: 'Demo' })).record;
  const join = (overrides: object = {}) =>
    auth.createJoinToken({
      room: room.id,
      user: 'u1',
      displayName: 'Una',
      role: 'presenter',
      attributes: { team: 'red' },
      expiresAtMs: Date.now() + 60_000,
      ...overrides,
    });
  return { ...made, auth, room, join, create };
}

describe('the first key', () => {
  test('is made at first start, is an admin’s, and is not made again', async () => {
    const { auth, create } = await someAuth();
    assert.match(auth.firstAdminKey ?? '', /^sk_[A-Za-z0-9]{12}_[A-Za-z0-9]{40}$/);
    const principal = await auth.authenticate(auth.firstAdminKey);
    assert.ok(principal.kind === 'key' && principal.scopes.includes('admin'));
    const again = await create();
    assert.equal(again.firstAdminKey, undefined);
    assert.equal((await again.authenticate(auth.firstAdminKey)).kind, 'key');
  });

  test('is made again when no admin key is left, so that nobody is locked out', async () => {
    const { auth, create } = await someAuth();
    await auth.keys.create({ name: 'reader', scopes: ['rooms:read'] });
    await auth.keys.create({ name: 'old admin', scopes: ['admin'], expiresAtMs: Date.now() - 1 });
    const [first] = (await auth.keys.list()).filter(({ name }) => name === 'First start');
    await auth.keys.delete(first?.id ?? '');
    assert.ok((await create()).firstAdminKey);
  });

  test('is the one of the configuration when that names one, and is not stored', async () => {
    const { auth, store } = await someAuth({ adminKey: 'correct horse battery' });
    assert.equal(auth.firstAdminKey, undefined);
    assert.deepEqual(await auth.keys.list(), []);
    const principal = await auth.authenticate('correct horse battery');
    assert.ok(principal.kind === 'key' && principal.scopes.includes('admin'));
    await assert.rejects(auth.authenticate('correct horse batterz'), fails('unauthorized'));
    assert.equal(await store.count('api-keys'), 0);
  });
});

describe('an API key', () => {
  test('is kept as a hash, never as itself', async () => {
    const { auth, store } = await someAuth();
    const { key } = await auth.keys.create({ name: 'x', scopes: ['rooms:read'] });
    const secret = key.split('_')[2] ?? '';
    assert.ok(!JSON.stringify(await store.list('api-keys')).includes(secret));
    assert.ok(!JSON.stringify(await auth.keys.list()).includes('hash'));
  });

  test('works until it is deleted or expires', async () => {
    const { auth } = await someAuth();
    const { key, info } = await auth.keys.create({
      name: 'x',
      scopes: ['rooms:read'],
      expiresAtMs: Date.now() + 10_000,
    });
    assert.deepEqual(await auth.authenticate(key), { kind: 'key', keyId: info.id, name: 'x', scopes: ['rooms:read'] });
    vi.useFakeTimers({ now: Date.now() + 10_001, toFake: ['Date'] });
    await assert.rejects(auth.authenticate(key), fails('unauthorized', /expired/));
    vi.useRealTimers();
    await auth.keys.delete(info.id);
    await assert.rejects(auth.authenticate(key), fails('unauthorized', /not known/));
    await assert.rejects(auth.keys.delete(info.id), fails('not_found'));
  });

  test('notes its use once a minute, and a deleted one stays deleted', async () => {
    const { auth } = await someAuth();
    const { key, info } = await auth.keys.create({ name: 'x', scopes: ['rooms:read'] });
    assert.equal((await auth.keys.find(info.id))?.lastUsedAtMs, undefined);
    await Promise.all([auth.authenticate(key), auth.authenticate(key)]);
    const used = (await auth.keys.find(info.id))?.lastUsedAtMs ?? 0;
    assert.ok(used > 0);
    await auth.authenticate(key);
    assert.equal((await auth.keys.find(info.id))?.lastUsedAtMs, used);
    vi.useFakeTimers({ now: Date.now() + 61_000, toFake: ['Date'] });
    await Promise.allSettled([auth.authenticate(key), auth.keys.delete(info.id)]);
    assert.equal(await auth.keys.find(info.id), undefined);
  });

  test.each([
    ['another secret', (key: string) => `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`],
    ['another id', (key: string) => key.replace(/^sk_./, (start) => (start === 'sk_A' ? 'sk_B' : 'sk_A'))],
    ['no secret', (key: string) => key.slice(0, -40)],
    ['more behind', (key: string) => `${key}x`],
    ['a space', (key: string) => `${key} `],
    ['upper case', (key: string) => key.toUpperCase()],
    ['its hash', () => 'a'.repeat(64)],
    ['nothing', () => ''],
    ['very long', () => 'sk_'.padEnd(1e6, 'x')],
    ['a name of the store', () => 'sk_../../secret_x'],
    ['prototype', () => '__proto__'],
  ])('with %s is refused', async (_name, change) => {
    const { auth } = await someAuth();
    const { key } = await auth.keys.create({ name: 'x', scopes: ['admin'] });
    await assert.rejects(auth.authenticate(change(key)), fails('unauthorized'));
  });

  test('absent is unauthorized with what to send', async () => {
    const { auth } = await someAuth();
    await assert.rejects(auth.authenticate(undefined), fails('unauthorized', /Authorization: Bearer/));
  });
});

describe('a join token', () => {
  test('is a grant for its room, by name in any case or id', async () => {
    const { auth, room, join } = await someAuth();
    const token = await join();
    for (const named of ['Demo', 'demo', room.id]) {
      const { tokenId, limits, isOneTime, ...grant } = await auth.authorizeJoin(token, named);
      assert.match(tokenId ?? '', /^\w{16}$/);
      assert.deepEqual([limits, isOneTime], [{ publish: undefined, subscribe: undefined }, undefined]);
      assert.deepEqual(
        { ...grant, expiresAtMs: 0 },
        {
          room: room.id,
          user: 'u1',
          displayName: 'Una',
          role: 'presenter',
          attributes: { team: 'red' },
          expiresAtMs: 0,
          mayCreateRoom: false,
        },
      );
      assert.ok(Math.abs(grant.expiresAtMs - Date.now() - 60_000) < 2_000);
    }
  });

  test('for another room, a room that is not, or one that was made anew under the name is forbidden alike', async () => {
    const { auth, rooms, join } = await someAuth();
    const token = await join();
    await rooms.create({ name: 'other' });
    await assert.rejects(auth.authorizeJoin(token, 'other'), fails('forbidden', /another room/));
    await assert.rejects(auth.authorizeJoin(token, 'nowhere'), fails('forbidden', /another room/));
    await rooms.delete('demo');
    await rooms.create({ name: 'demo' });
    await assert.rejects(auth.authorizeJoin(token, 'demo'), fails('forbidden', /another room/));
  });

  test('that has expired says so', async () => {
    const { auth, join } = await someAuth();
    const token = await join({ expiresAtMs: Date.now() - 1_000 });
    await assert.rejects(auth.authorizeJoin(token, 'demo'), fails('unauthorized', /expired/));
    await assert.rejects(auth.authenticate(token), fails('unauthorized', /expired/));
  });

  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hmac = (input: string, key: Uint8Array, hash: string) =>
    createHmac(hash, key).update(input).digest('base64url');

  test.each<[string, (token: string, key: Uint8Array) => string | Promise<string>]>([
    ['alg none', (token) => `${encode({ alg: 'none', typ: 'JWT' })}.${token.split('.')[1]}.`],
    ['alg NONE and our signature', (token) => [encode({ alg: 'NONE' }), ...token.split('.').slice(1)].join('.')],
    ['no signature', (token) => token.replace(/[^.]*$/, '')],
    ['a changed role', (token) => withClaims(token, { role: 'moderator' })],
    ['a changed room', (token) => withClaims(token, { room: 'RM_other' })],
    ['a longer life', (token) => withClaims(token, { exp: 9_999_999_999 })],
    ['a changed last bit', (token) => token.slice(0, -2) + (token.endsWith('AA') ? 'BA' : 'AA')],
    [
      'HS512 with our key',
      (token, key) => {
        const input = `${encode({ alg: 'HS512', typ: 'JWT' })}.${token.split('.')[1]}`;
        return `${input}.${hmac(input, key, 'sha512')}`;
      },
    ],
    [
      'kid, even signed by our key',
      (token, key) => {
        const input = `${encode({ alg: 'HS256', typ: 'JWT', kid: '../../dev/null' })}.${token.split('.')[1]}`;
        return `${input}.${hmac(input, key, 'sha256')}`;
      },
    ],
    [
      'a critical header we do not know',
      (token, key) => {
        const input = `${encode({ alg: 'HS256', crit: ['x'], x: 1 })}.${token.split('.')[1]}`;
        return `${input}.${hmac(input, key, 'sha256')}`;
      },
    ],
    [
      'an empty key',
      (token) => {
        const input = `${encode({ alg: 'HS256' })}.${token.split('.')[1]}`;
        return `${input}.${hmac(input, new Uint8Array(), 'sha256')}`;
      },
    ],
    ['another issuer', (_token, key) => sign({ room: 'x', aud: 'join' }, key, 'elsewhere')],
    ['another audience', (_token, key) => sign({ room: 'x', aud: 'admin' }, key)],
    ['no audience', (_token, key) => sign({ room: 'x' }, key)],
    [
      'claims of other types',
      (_token, key) => sign({ room: 7, role: [], name: {}, attributes: 'x', aud: 'join' }, key),
    ],
    ['no claims', (_token, key) => sign({ aud: 'join' }, key)],
    ['no expiry', (_token, key) => new SignJWT({ aud: 'join' }).setProtectedHeader({ alg: 'HS256' }).sign(key)],
    ['a session it never had', (_token, key) => sign({ aud: 'session' }, key)],
    ['rubbish', () => 'eyJhbGciOiJIUzI1NiJ9.eyJ4.x'],
    ['four parts', (token) => `${token}.x`],
    ['very long', (token) => token.padEnd(1e6, 'x')],
  ])('with %s is refused', async (_name, change) => {
    const { auth, store, join } = await someAuth();
    const key = await loadSigningKey(store);
    const token = await join();
    await auth.authenticate(token);
    const changed = await change(token, key);
    assert.notEqual(changed, token);
    await assert.rejects(auth.authenticate(changed), fails('unauthorized'));
    await assert.rejects(auth.authorizeJoin(changed, 'demo'), fails('unauthorized'));
  });

  function withClaims(token: string, claims: object): string {
    const [header, payload = '', signature] = token.split('.');
    return [header, encode({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...claims }), signature].join(
      '.',
    );
  }

  function sign(claims: object, key: Uint8Array, issuer = 'switchyard'): Promise<string> {
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(issuer)
      .setSubject('x')
      .setExpirationTime('1h')
      .sign(key);
  }

  test('of another server is refused', async () => {
    const [one, two] = [await someAuth(), await someAuth()];
    await assert.rejects(two.auth.authenticate(await one.join()), fails('unauthorized'));
  });
});

describe('a key joins', () => {
  test('any room as its moderator, also one that is yet to be made, when it may write rooms', async () => {
    const { auth, room } = await someAuth();
    const { key } = await auth.keys.create({ name: 'writer', scopes: ['rooms:write'] });
    const grant = await auth.authorizeJoin(key, 'demo');
    assert.deepEqual([grant.room, grant.role, grant.user, grant.mayCreateRoom], [room.id, 'moderator', 'writer', true]);
    assert.equal((await auth.authorizeJoin(auth.firstAdminKey, 'new-room')).room, 'new-room');
  });

  test('in whatever role of the room may moderate', async () => {
    const { auth, rooms } = await someAuth();
    const all = { audio: true, video: true, data: true };
    const role = { publish: all, subscribe: all, chat: true };
    await rooms.create({
      name: 'school',
      roles: [
        { role: 'pupil', ...role, moderate: false },
        { role: 'teacher', ...role, moderate: true },
      ],
    });
    assert.equal((await auth.authorizeJoin(auth.firstAdminKey, 'school')).role, 'teacher');
  });

  test('nowhere when it may not', async () => {
    const { auth } = await someAuth();
    const { key } = await auth.keys.create({ name: 'reader', scopes: ['rooms:read', 'tokens:write', 'metrics:read'] });
    await assert.rejects(auth.authorizeJoin(key, 'demo'), fails('forbidden', /rooms:write/));
  });
});

describe('signing in', () => {
  test('a code works once and for an hour, and is kept as a hash', async () => {
    const { auth, store } = await someAuth();
    const code = await auth.createOneTimeLogin();
    assert.ok(!JSON.stringify(await store.list('login-codes')).includes(code));
    const { token } = await auth.login(code, '127.0.0.1');
    const principal = await auth.authenticate(token);
    assert.ok(principal.kind === 'session' && principal.scopes.includes('admin'));
    await assert.rejects(auth.login(code, '127.0.0.1'), fails('unauthorized', /used or is too old/));
    const late = await auth.createOneTimeLogin();
    vi.useFakeTimers({ now: Date.now() + 3_600_001, toFake: ['Date'] });
    await assert.rejects(auth.login(late, '127.0.0.1'), fails('unauthorized'));
  });

  test('of two with one code at once one gets in', async () => {
    const { auth } = await someAuth();
    const code = await auth.createOneTimeLogin();
    const settled = await Promise.allSettled([auth.login(code, '1.1.1.1'), auth.login(code, '1.1.1.2')]);
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  test('a session ends when it is signed out, and at its time; what has ended is swept away', async () => {
    const { auth, store } = await someAuth();
    const { token } = await auth.login(await auth.createOneTimeLogin(), '127.0.0.1');
    await auth.logout(await auth.authenticate(token));
    await assert.rejects(auth.authenticate(token), fails('unauthorized', /session has ended/));
    await assert.rejects(auth.logout(await auth.authenticate(auth.firstAdminKey)), fails('invalid_request'));
    const { token: second } = await auth.login(await auth.createOneTimeLogin(), '127.0.0.1');
    const unused = await auth.createOneTimeLogin();
    assert.ok(unused);
    vi.useFakeTimers({ now: Date.now() + 3_700_000, toFake: ['Date'] });
    await assert.rejects(auth.authenticate(second), fails('unauthorized', /expired/));
    await auth.login(await auth.createOneTimeLogin(), '127.0.0.1');
    assert.equal(await store.count('sessions'), 1);
    assert.equal(await store.count('login-codes'), 0);
  });
});

describe('guessing', () => {
  test('is stopped by address, also with a right key then, and other addresses are not', async () => {
    const { auth, log } = await someAuth({ failures: 3 });
    for (let i = 0; i < 3; i++) await assert.rejects(auth.authenticate('wrong', '192.0.2.1'), fails('unauthorized'));
    await assert.rejects(auth.authenticate('wrong', '192.0.2.1'), fails('rate_limited'));
    await assert.rejects(auth.authenticate(auth.firstAdminKey, '192.0.2.1'), fails('rate_limited'));
    await assert.rejects(auth.login(await auth.createOneTimeLogin(), '192.0.2.1'), fails('rate_limited'));
    await auth.authenticate(auth.firstAdminKey, '192.0.2.2');
    const refusals = log.lines.filter(({ message }) => message === 'credential refused');
    assert.equal(refusals.length, 3);
    assert.ok(!JSON.stringify(refusals).includes('wrong'));
  });

  test('of others does not keep out who has a signed token, and forged tokens count', async () => {
    const { auth, join } = await someAuth({ failures: 3 });
    const token = await join();
    const forged = `${token.slice(0, -4)}AAAA`;
    for (let i = 0; i < 3; i++) await assert.rejects(auth.authenticate(forged, '192.0.2.1'), fails('unauthorized'));
    await assert.rejects(auth.authenticate(forged, '192.0.2.1'), fails('rate_limited'));
    assert.equal((await auth.authenticate(token, '192.0.2.1')).kind, 'participant');
  });

  test('is not what an old token or a missing one is', async () => {
    const { auth, join } = await someAuth({ failures: 1 });
    const old = await join({ expiresAtMs: Date.now() - 5_000 });
    for (let i = 0; i < 5; i++) await assert.rejects(auth.authenticate(old, '192.0.2.1'), fails('unauthorized'));
    for (let i = 0; i < 5; i++) await assert.rejects(auth.authenticate(undefined, '192.0.2.1'), fails('unauthorized'));
    await auth.authenticate(auth.firstAdminKey, '192.0.2.1');
  });
});

test('two nodes that start on one store at once sign with the same key', async () => {
  const { store } = someRooms();
  const keys = await Promise.all([loadSigningKey(store), loadSigningKey(store), loadSigningKey(store)]);
  assert.equal(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, 1);
});

test('no credential is ever logged by the API', async () => {
  const { call, auth, admin, log } = await someApi();
  const code = await auth.createOneTimeLogin();
  const { json } = await call('POST', '/api/login', { json: { code } });
  await call('POST', '/api/rooms', { as: admin, json: { name: 'demo' } });
  await call('GET', `/api/rooms?token=${admin}`, { as: `${admin}x` });
  await call('POST', '/api/keys', { as: json.token, json: { name: 'k', scopes: ['admin'] } });
  const text = JSON.stringify(log.lines, (_key, value) => (value instanceof Error ? `${value.stack}` : value));
  for (const secret of [admin, code, json.token]) assert.ok(!text.includes(secret));
  assert.ok(log instanceof KeepingLog && log.lines.length > 4);
});
