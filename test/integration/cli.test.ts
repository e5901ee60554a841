// The command line as it is typed, against a real gateway.
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { protocolVersion } from '#signalling/protocol-constants.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { freePort } from '#test/support/ports.ts';
import { SignallingPeer } from '#test/support/signalling-peer.ts';
import { commandList, isCliCommand, runCli } from '../../src/cli/index.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const environmentOf = (over: Record<string, string>) => ({
  ...{ SWITCHYARD_URL: gateway.url, SWITCHYARD_ADMIN_KEY: adminKey },
  ...over,
});

/** Commands that talk to a gateway, in this process: each start of another costs a second on a small machine. */
async function run(args: readonly string[], over: Record<string, string> = {}): Promise<Ran> {
  assert.ok(isCliCommand(args), args.join(' '));
  const told = { out: '', err: '' };
  const code = await runCli({
    ...{ args, environment: environmentOf(over), log: new KeepingLog() },
    out: (text) => {
      told.out += text;
    },
    err: (text) => {
      told.err += text;
    },
  });
  return { code, ...told };
}

/** As it is typed. */
function type(args: readonly string[]): Promise<Ran> {
  const env = { ...process.env, ...environmentOf({}) };
  return new Promise((ended) => {
    execFile(process.execPath, [main, ...args], { env, timeout: 100_000 }, (error, out, err) =>
      ended({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    );
  });
}

/** What `--json` printed; the command has to succeed. */
async function json<T>(args: readonly string[], environment: Record<string, string> = {}): Promise<T> {
  const { code, out, err } = await run([...args, '--json'], environment);
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}

let data: string;
let gateway: TestGateway;
beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'switchyard-cli-'));
  gateway = await startGateway({ data, rooms: { initial: ['lobby'] } });
});
afterAll(async () => {
  await gateway?.close();
  rmSync(data, { recursive: true, force: true });
});

const withKey = (key: string, path: string) => fetch(`${gateway.url}${path}`, { headers: { 'x-auth-token': key } });

test('a room is made, listed, shown with who may dial in, and deleted', async () => {
  const made = await json<{ id: string }>([
    'rooms',
    'create',
    'weekly',
    '--title',
    'Weekly',
    '--settings',
    '{"lastN":3}',
  ]);
  const listed = await run(['rooms', 'list']);
  assert.match(listed.out, /^ID +NAME +TITLE +IN IT +MADE\n/);
  assert.match(listed.out, new RegExp(`^${made.id} +weekly +Weekly +0 `, 'm'));
  const shown = await json<Record<string, unknown>>(['rooms', 'show', 'weekly']);
  assert.deepEqual([shown.id, shown.lastN, shown.participants], [made.id, 3, []]);
  const only = await json<{ name: string }[]>(['rooms', 'list', '--name', 'week']);
  assert.deepEqual(
    only.map(({ name }) => name),
    ['weekly'],
  );
  assert.match((await run(['rooms', 'delete', 'weekly'])).out, /^Room weekly \(RM_\w+\) is deleted\.$/m);
  const gone = await run(['rooms', 'show', 'weekly']);
  assert.deepEqual([gone.code, gone.out], [1, '']);
  assert.match(gone.err, /There is no room "weekly"/);
});

test('a token lets somebody join, and only as it says', async () => {
  const token = await json<{ token: string; url: string; expiresAt: string }>([
    ...['token', 'lobby', '--user', 'alice', '--role', 'viewer', '--ttl', '10m', '--once'],
  ]);
  assert.ok(token.url.includes('/r/lobby#'));
  const endsInMs = Date.parse(token.expiresAt) - Date.now();
  assert.ok(endsInMs > 60_000 && endsInMs <= 600_000, String(endsInMs));
  assert.equal((await withKey(token.token, '/api/rooms/lobby/participants')).status, 200);
  assert.equal((await withKey(token.token, '/api/rooms')).status, 403);
});

test('a key is made with its scopes, rotated with the old one good for a while, listed and revoked', async () => {
  const made = await json<{ id: string; key: string }>([
    'keys',
    'create',
    'Dashboard',
    '--scopes',
    'rooms:read',
    '--expires',
    '1d',
  ]);
  assert.equal((await withKey(made.key, '/api/rooms')).status, 200);
  assert.equal((await withKey(made.key, '/api/keys')).status, 403);
  const rotated = await json<{ key: string }>(['keys', 'rotate', made.id, '--keep-old', '1h']);
  for (const key of [made.key, rotated.key]) assert.equal((await withKey(key, '/api/rooms')).status, 200);
  const { out } = await run(['keys', 'list']);
  assert.match(out, new RegExp(`^${made.id} +Dashboard +rooms:read +\\S+ +\\S+ +\\S+$`, 'm'));
  assert.ok(!out.includes(rotated.key));
  assert.equal((await run(['keys', 'revoke', made.id])).code, 0);
  assert.equal((await withKey(rotated.key, '/api/rooms')).status, 401);
});

test('calls and jobs are listed, empty ones too, and what is not there is said', async () => {
  assert.deepEqual(await json(['calls', 'list', '--state', 'on', '--limit', '3']), []);
  assert.deepEqual(await json(['jobs', 'list']), []);
  const call = await run(['calls', 'show', 'CL_none', '--json']);
  assert.equal(call.code, 1);
  assert.equal(JSON.parse(call.err).error.code, 'not_found');
  assert.equal((await run(['jobs', 'show', 'JB_none'])).code, 1);
});

test('what is typed wrongly is answered with what is right, and 2', async () => {
  for (const [args, words] of [
    [['rooms', 'make', 'x'], /no "switchyard rooms make".*rooms create NAME/s],
    [['rooms', 'create'], /takes NAME/],
    [['rooms', 'create', 'x', '--colour', 'red'], /--colour.*Usage: switchyard rooms create NAME/s],
    [['rooms', 'create', 'x', '--max-participants', 'many'], /whole number/],
    [['keys', 'create', 'x', '--scopes', 'rooms:fly'], /no scope "rooms:fly".*rooms:read/s],
    [['token', 'lobby'], /--user is missing/],
    [['token', 'lobby', '--user', 'a', '--ttl', 'soon'], /90s, 10m/],
    [['rooms', 'list', '--url', 'localhost:8080'], /http:\/\/localhost:8080/],
    [['rooms', 'list', '--key-file', '/none/such'], /cannot be read/],
    [['keys'], /keys create NAME/],
  ] as const) {
    const { code, out, err } = await run(args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, words);
  }
});

test('every command says what it takes', async () => {
  const names = [...commandList().matchAll(/^ {2}switchyard ((?:keys|rooms|calls|jobs) [a-z-]+|token)/gm)];
  assert.ok(names.length >= 14, commandList());
  for (const [, name = ''] of names) {
    const { code, out } = await run([...name.split(' '), '--help']);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Usage: switchyard ${name}.*--url URL .*--json `, 's'));
  }
  assert.match((await run(['rooms', '--help'])).out, /rooms delete ROOM/);
});

test('a wrong key, and a gateway that is not there, are told with what to do', async () => {
  const refused = await run(['rooms', 'list'], { SWITCHYARD_ADMIN_KEY: 'sk_wrong' });
  assert.equal(refused.code, 1);
  assert.match(refused.err, /SWITCHYARD_ADMIN_KEY.*--offline --data DIR/s);
  assert.equal((await run(['rooms', 'list', '--port-base', String(await freePort())])).code, 3);
  const url = `http://127.0.0.1:${await freePort()}`;
  const down = await run(['rooms', 'list', '--url', url, '--json']);
  assert.equal(down.code, 3);
  assert.match(JSON.parse(down.err).error.detail, /ECONNREFUSED.*--url/s);
});

test('a key comes from a file, so that nobody reads it from the list of processes', async () => {
  const file = join(data, 'key.txt');
  writeFileSync(file, `${adminKey}\n`);
  assert.equal((await run(['rooms', 'list', '--key-file', file], { SWITCHYARD_ADMIN_KEY: 'wrong' })).code, 0);
});

test('who has lost every key makes one on the store, and the running gateway takes it at once', async () => {
  const noKey = { SWITCHYARD_ADMIN_KEY: '' };
  const made = await json<{ id: string; key: string }>(
    ['keys', 'create', 'Rescue', '--scopes', 'admin', '--offline', '--data', data],
    noKey,
  );
  assert.equal((await withKey(made.key, '/api/keys')).status, 200);
  const listed = await json<{ id: string }[]>(['keys', 'list', '--offline', '--data', data], noKey);
  assert.ok(listed.some(({ id }) => id === made.id));
  assert.equal((await run(['keys', 'revoke', made.id, '--offline', '--data', data], noKey)).code, 0);
  assert.equal((await withKey(made.key, '/api/keys')).status, 401);
  const elsewhere = await run(['keys', 'list', '--offline', '--data', join(data, 'none')], noKey);
  assert.deepEqual([elsewhere.code, elsewhere.out], [1, '']);
  assert.match(elsewhere.err, /no store in .*--data/);
});

test('a drained node keeps who is in, also over a lost socket, takes nobody new, and works again when told', async () => {
  const enter = async (user: string) =>
    SignallingPeer.join(gateway.webSocketUrl, { room: 'lobby', token: await gateway.token({ room: 'lobby', user }) });
  const alice = await enter('alice');
  const drained = await run(['nodes', 'drain', 'self', '--reason', 'Upgrade']);
  assert.match(drained.out, /^Node ND_\w{12} takes nothing new; left: 1 participants, 0 calls, 0 jobs\./);
  const bob = await SignallingPeer.connect(gateway.webSocketUrl);
  const token = await gateway.token({ room: 'lobby', user: 'bob' });
  assert.equal(await bob.codeOf('join', { protocol: protocolVersion, room: 'lobby', token }), 'draining');
  alice.peer.socket.terminate();
  const again = await SignallingPeer.connect(gateway.webSocketUrl);
  await again.request('resume', { ticket: alice.joined.ticket, lastSeq: alice.peer.lastSeq });
  const refused = await run(['rooms', 'create', 'late']);
  assert.match(refused.err, /being drained/);
  await again.request('leave', {});
  const shown = () => json<{ id: string; state: string; ports: { name: string }[] }>(['nodes', 'show', 'self']);
  while ((await shown()).state !== 'drained') await new Promise((wake) => setTimeout(wake, 20));
  const active = await json<{ id: string; state: string }>(['nodes', 'undrain', 'self']);
  assert.deepEqual([active.state, `${active.id}\n`], ['active', readFileSync(join(data, 'node-id'), 'utf8')]);
  assert.ok((await shown()).ports.some(({ name }) => name === 'rtmp'));
  assert.match((await run(['nodes', 'list'])).out, new RegExp(`^${active.id} +active +yes`, 'm'));
  await (await enter('carol')).peer.request('leave', {});
  const { items } = await gateway.api<{ items: { type: string }[] }>('GET', '/api/events?type=node.*');
  const types = items.map(({ type }) => type);
  assert.deepEqual(types, ['node.started', 'node.draining', 'node.drained', 'node.undrained']);
});

test('the program itself does it too: its exit code and its two outputs are those of the command', {
  timeout: 300_000,
}, async () => {
  const listed = await type(['rooms', 'list', '--name', 'lobby', '--json']);
  assert.deepEqual([listed.code, listed.err], [0, '']);
  assert.deepEqual(
    JSON.parse(listed.out).map(({ name }: { name: string }) => name),
    ['lobby'],
  );
  const wrong = await type(['rooms', 'show', 'nowhere']);
  assert.deepEqual([wrong.code, wrong.out], [1, '']);
  const unknown = await type(['teleport']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /Unknown command "teleport".*switchyard keys create NAME/s);
});

test('a backup says where it is, and refuses to write over another', { timeout: 300_000 }, async () => {
  const copy = join(data, 'copy.db');
  const made = await type(['backup', copy, '--data', data, '--json']);
  assert.deepEqual([made.code, JSON.parse(made.out)], [0, { file: copy }]);
  const again = await type(['backup', copy, '--data', data, '--json']);
  assert.deepEqual([again.code, JSON.parse(again.err).error.code], [1, 'conflict']);
});
