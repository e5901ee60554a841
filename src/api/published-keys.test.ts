// Keys from a real HTTP server that publishes, changes and loses them; only the clock is moved by hand.
import { strict as assert } from 'node:assert';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK, SignJWT } from 'jose';
import { afterEach, beforeEach, test, vi } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { someApi } from '#test/support/some-api.ts';

type Algorithm = 'ES256' | 'RS256';

let server: Server;
let keys: JWK[] = [];
let asked = 0;
let answer: 'keys' | 'failure' | 'redirect' | 'flood' = 'keys';
const pairs = new Map<string, { alg: Algorithm; privateKey: KeyObject }>();

async function publish(kid: string, alg: Algorithm): Promise<void> {
  const { publicKey, privateKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2_048 });
  pairs.set(kid, { alg, privateKey });
  keys.push({ ...(await exportJWK(publicKey)), kid, alg });
}

/** @param claims.exp far enough away for a clock that is moved */
function sign(kid: string): Promise<string> {
  const pair = pairs.get(kid);
  if (!pair) throw new Error(`There is no key ${kid}.`);
  const exp = Math.floor(Date.now() / 1_000) + 7_200;
  return new SignJWT({ sub: 'alice', iss: 'https://id.example', room: 'demo', exp })
    .setProtectedHeader({ alg: pair.alg, kid })
    .sign(pair.privateKey);
}

beforeEach(async () => {
  [keys, asked, answer] = [[], 0, 'keys'];
  pairs.clear();
  server = createServer((_, response) => {
    asked += 1;
    if (answer === 'failure') response.writeHead(503).end();
    else if (answer === 'redirect') response.writeHead(302, { location: '/elsewhere' }).end();
    else response.end(answer === 'flood' ? ' '.repeat(1_000_000) : JSON.stringify({ keys }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

async function someIssuer(limits: { readonly failedLoginsPerMinute?: number } = {}) {
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  const config = { limits, auth: { issuers: [{ issuer: 'https://id.example', jwksUrl }] } };
  const { auth, rooms, log, admin } = await someApi({ config });
  await rooms.create({ name: 'demo' });
  const joins = async (kid: string) => {
    try {
      return (await auth.authorizeJoin(await sign(kid), 'demo')).user;
    } catch (thrown) {
      assert.ok(thrown instanceof GatewayError);
      return thrown.code;
    }
  };
  return { joins, auth, log, admin };
}

const wait = (ms: number) => vi.setSystemTime(Date.now() + ms);

test('tokens of ES256 and RS256 are taken, with one fetch for all', async () => {
  await publish('ec', 'ES256');
  await publish('rsa', 'RS256');
  const { joins } = await someIssuer();
  assert.equal(asked, 0);
  for (const kid of ['ec', 'rsa', 'ec']) assert.equal(await joins(kid), 'alice');
  assert.equal(asked, 1);
});

test('a new key is fetched when its first token comes, and unknown ones do not make it ask all the time', async () => {
  await publish('old', 'ES256');
  const { joins } = await someIssuer();
  assert.equal(await joins('old'), 'alice');
  await publish('new', 'ES256');
  wait(31_000);
  assert.equal(await joins('new'), 'alice');
  assert.equal(asked, 2);
  await publish('never', 'ES256');
  keys.pop();
  for (let n = 0; n < 20; n++) assert.equal(await joins('never'), 'unauthorized');
  assert.equal(asked, 2, 'not before the cooldown is over');
  wait(31_000);
  for (let n = 0; n < 20; n++) assert.equal(await joins('never'), 'unauthorized');
  assert.equal(asked, 3);
});

test('a key that was taken away is good until the set is fetched again', async () => {
  await publish('stolen', 'ES256');
  const { joins } = await someIssuer();
  assert.equal(await joins('stolen'), 'alice');
  keys = [];
  await publish('next', 'ES256');
  wait(601_000);
  assert.equal(await joins('stolen'), 'unauthorized');
  assert.equal(await joins('next'), 'alice');
});

test('while the server is away the keys that it had go on, and it is asked again only after a while', async () => {
  await publish('ec', 'ES256');
  const { joins } = await someIssuer();
  assert.equal(await joins('ec'), 'alice');
  answer = 'failure';
  wait(601_000);
  for (let n = 0; n < 20; n++) assert.equal(await joins('ec'), 'alice');
  assert.equal(asked, 2);
  await publish('fresh', 'RS256');
  answer = 'keys';
  wait(31_000);
  assert.equal(await joins('fresh'), 'alice');
});

test('a server that was never there, sends elsewhere or sends without end lets nobody in', async () => {
  await publish('ec', 'ES256');
  const { joins } = await someIssuer();
  for (const how of ['failure', 'redirect', 'flood'] as const) {
    answer = how;
    assert.equal(await joins('ec'), 'unauthorized', how);
    wait(1_001);
  }
  answer = 'keys';
  assert.equal(await joins('ec'), 'alice');
});

test('a server that has never answered is no fault of who comes, is told to the log, and is not asked in a loop', async () => {
  await publish('ec', 'ES256');
  const { joins, auth, log, admin } = await someIssuer({ failedLoginsPerMinute: 2 });
  const token = await sign('ec');
  answer = 'failure';
  const address = '192.0.2.7';
  for (let n = 0; n < 20; n++) {
    await assert.rejects(auth.authenticate(token, address), /keys of the issuer of this token cannot be had/);
  }
  assert.equal(asked, 1);
  const told = log.lines.filter(({ message }) => message === 'keys of an issuer could not be had');
  assert.deepEqual([told.length, told[0]?.level, told[0]?.fields.issuer], [1, 'warn', 'https://id.example']);
  assert.equal((await auth.authenticate(admin, address)).kind, 'key');
  answer = 'keys';
  wait(1_001);
  assert.equal(await joins('ec'), 'alice');
});
