// Every route that is declared × every kind of credential. The rows come from the route table: a new route has its row.
import { strict as assert } from 'node:assert';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { beforeAll, describe, test } from 'vitest';
import { defaultRoles, type Scope, scopes } from '#core/grants.ts';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';
import type { Access } from './access.ts';
import { loadSigningKey } from './signing-key.ts';

interface Caller {
  readonly name: string;
  readonly credential: string | undefined;
  /** What it stands for; undefined: nothing that is known here. */
  readonly is?: { readonly scopes: readonly Scope[] } | { readonly role: string; readonly isOfThisRoom: boolean };
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

async function someCallers() {
  const api = await someApi();
  const { rooms, tokenFor, auth, store, keyWith } = api;
  await rooms.create({ name: 'demo' });
  await rooms.create({ name: 'other' });
  const alice = await joinAndPublish(await rooms.open('demo'), 'alice');

  const good = await tokenFor('demo', 'moderator');
  const [header = '', payload = '', signature = ''] = good.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const expired = await tokenFor('demo', 'moderator', { expiresAtMs: Date.now() - 60_000 });
  const revoked = await auth.createJoinToken({
    ...claims,
    user: 'x',
    displayName: 'x',
    tokenId: 'gone',
    expiresAtMs: Date.now() + 60_000,
  });
  await auth.revocations.revoke('gone');
  const old = await auth.keys.create({ name: 'old', scopes: ['admin'], expiresAtMs: Date.now() + 5 });
  const signer = await auth.keys.create({ name: 'signer', scopes: ['admin'] });
  const signing = (key: string, kid: string) => (extra: object) =>
    new SignJWT({ sub: 'app', ...extra })
      .setProtectedHeader({ alg: 'HS256', kid })
      .setExpirationTime('10m')
      .sign(new TextEncoder().encode(key));
  const signed = signing(signer.key, signer.info.id);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const hmac = (text: string, key: Uint8Array | string) => createHmac('sha256', key).update(text).digest('base64url');
  const own = await loadSigningKey(store);
  const withKid = `${base64({ alg: 'HS256', typ: 'JWT', kid: 'x' })}.${payload}`;
  const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const confused = `${base64({ alg: 'HS256', kid: signer.info.id })}.${base64({ ...claims, iss: 'x' })}`;

  const refused: Record<string, string | undefined> = {
    nobody: undefined,
    'an unknown key': `sk_${'a'.repeat(12)}_${'b'.repeat(40)}`,
    'an expired key': old.key,
    'an expired token': expired,
    'a revoked token': revoked,
    'a token with another payload': `${header}.${base64({ ...claims, room: claims.room, role: 'admin' })}.${signature}`,
    'a token with another signature': `${header}.${payload}.${signature.split('').reverse().join('')}`,
    'alg none': `${base64({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    'alg None with a signature': `${base64({ alg: 'None' })}.${payload}.${signature}`,
    'our own signature with a kid': `${withKid}.${hmac(withKid, own)}`,
    'an unknown kid': await signing(signer.key, 'zzzzzzzzzzzz')({ scopes: ['admin'] }),
    'the kid of another key': await signing(signer.key, old.info.id)({ scopes: ['admin'] }),
    'a kid that is a path': await signing(signer.key, '../../etc/passwd')({ scopes: ['admin'] }),
    'a public key as HMAC secret': `${confused}.${hmac(confused, publicPem)}`,
    'RS256 of an unknown issuer': await new SignJWT({ sub: 'x', scopes: ['admin'], iss: 'https://evil.example' })
      .setProtectedHeader({ alg: 'RS256', kid: '1' })
      .setExpirationTime('10m')
      .sign(rsa.privateKey),
    'a signed token for a year': await new SignJWT({ sub: 'x', scopes: ['admin'] })
      .setProtectedHeader({ alg: 'HS256', kid: signer.info.id })
      .setExpirationTime('365d')
      .sign(new TextEncoder().encode(signer.key)),
  };
  const callers: Caller[] = Object.entries(refused).map(([name, credential]) => ({ name, credential }));
  for (const { role } of defaultRoles) {
    callers.push({
      name: `${role} of the room`,
      credential: await tokenFor('demo', role),
      is: { role, isOfThisRoom: true },
    });
  }
  callers.push({
    name: 'moderator of another room',
    credential: await tokenFor('other', 'moderator'),
    is: { role: 'moderator', isOfThisRoom: false },
  });
  callers.push({
    name: 'moderator by a signed token',
    credential: await signed({ rooms: ['demo'], role: 'moderator' }),
    is: { role: 'moderator', isOfThisRoom: true },
  });
  callers.push({
    name: 'moderator of another room by a signed token',
    credential: await signed({ rooms: ['other'], role: 'moderator' }),
    is: { role: 'moderator', isOfThisRoom: false },
  });
  for (const scope of scopes) {
    callers.push({ name: `key ${scope}`, credential: await keyWith(scope), is: { scopes: [scope] } });
    callers.push({ name: `signed ${scope}`, credential: await signed({ scopes: [scope] }), is: { scopes: [scope] } });
  }
  callers.push({ name: 'signed without scopes', credential: await signed({}), is: { scopes: [] } });
  await new Promise((wake) => setTimeout(wake, 10)); // the old key expires
  return { ...api, alice, callers };
}

/** What the declaration of the route comes to for this caller. */
function expectedOf(access: Access, { is }: Caller): 'in' | 401 | 403 {
  if ('to' in access && access.to === 'everybody') return 'in';
  if (!is) return 401;
  if ('to' in access) return 'in';
  if ('scopes' in is) return is.scopes.includes('admin') || is.scopes.includes(access.scope) ? 'in' : 403;
  if (!access.participants || !is.isOfThisRoom) return 403;
  return access.participants === 'read' || is.role === 'moderator' ? 'in' : 403;
}

let setting: Awaited<ReturnType<typeof someCallers>>;
let rows: { method: string; path: string; 'x-access': Access }[];
beforeAll(async () => {
  setting = await someCallers();
  rows = setting.contract.routes as unknown as typeof rows;
});

test('every route lets in whom it declares, and refuses all others before it looks at the request', async () => {
  const { call, callers, alice } = setting;
  const wrong: string[] = [];
  const before = JSON.stringify([alice.participant.isClosed, alice.video.isClosed, alice.video.isMuted]);
  for (const { method, path: pattern, 'x-access': access } of rows) {
    const verb = method.toUpperCase();
    // A body that fits nothing: who gets in is told so (or it does not matter), who does not never learns it.
    const body = ['POST', 'PATCH'].includes(verb) ? { json: { nonsense: true } } : {};
    for (const caller of callers) {
      const expected = expectedOf(access, caller);
      let path = pattern.replace('{room}', 'demo');
      path = path.replace('{participant}', alice.participant.id).replace('{stream}', alice.video.id);
      path = path.replaceAll(/\{\w+\}/g, 'none');
      // Nothing is deleted by this test but by those who should not be able to.
      if (verb === 'DELETE' && expected === 'in') path = path.replace(/[^/]+$/, 'none');
      const { status } = await call(verb, path, { as: caller.credential, ...body });
      const actual = (status === 401 && pattern !== '/api/login') || status === 403 ? status : 'in';
      if (actual !== expected) wrong.push(`${verb} ${pattern}, ${caller.name}: ${status} and not ${expected}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.equal(JSON.stringify([alice.participant.isClosed, alice.video.isClosed, alice.video.isMuted]), before);
}, 120_000);

describe('what routes declare', () => {
  test('few are open, and what any credential may ask tells of itself alone', () => {
    const to = (whom: string) =>
      rows.filter(({ 'x-access': access }) => 'to' in access && access.to === whom).map((row) => row.path);
    assert.deepEqual(to('everybody').sort(), ['/api/login', '/api/rooms/{room}/guest-tokens', '/health', '/ready']);
    assert.deepEqual(to('anyone_known').sort(), ['/api/logout', '/api/me']);
  });

  test('changing something takes a scope to write', () => {
    for (const { method, path, 'x-access': access } of rows) {
      if (!('scope' in access) || access.scope === 'admin' || method === 'get') continue;
      assert.match(access.scope, /:write$/, `${method} ${path}`);
    }
  });

  test('a join token opens only what lies in a room, and changes nothing without moderating', () => {
    for (const { method, path, 'x-access': access } of rows) {
      if (!('scope' in access) || !access.participants) continue;
      assert.match(path, /^\/api\/rooms\/\{room\}\//);
      if (method !== 'get') assert.equal(access.participants, 'moderate', path);
    }
  });
});
